// Package seccomp turns the linux.seccomp object of a container configuration
// (config-linux.md, "Seccomp") into a program that seccomp(2) takes as it is.
//
// The work is done on the host, before the container exists: [Validate] reports
// everything that is wrong with a profile, [Compile] returns a [Program] that is
// nothing but bytes and flags, so that the init process needs neither libseccomp
// nor JSON. [SendListener] hands a notification descriptor to a seccomp agent.
//
// libseccomp compiles what it knows. This package adds what the installed
// library may lack: numbers of newer system calls, flags, and the answer ENOSYS
// for system calls that are newer than the profile.
package seccomp
