// Package libcontainer makes and runs OCI containers: it is what the tare command line is a thin
// user of.
//
// It changes nothing of the process that imports it: working directory, umask, environment, signal
// handling and the namespaces of its threads stay as they are. Every wait has a context or a bound.
package libcontainer
