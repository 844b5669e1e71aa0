// Package spec reads the configuration of a container and says what is wrong
// with it.
//
// Load reads a bundle's config.json, LoadProcess, LoadResources and LoadMounts
// the smaller documents that the commands take; all of them give the types of
// runtime-spec's Go bindings. Validate judges a configuration by every rule
// that needs no look at the host and reports all findings at once, each with
// its path in the document ("mounts[3].options"). The tables that give the
// specification's names their kernel numbers (mount options, capabilities,
// namespaces, rlimits and so on) live here too, as does the sample
// configuration of the spec command.
//
// Nothing here looks at the host; only the file that the caller names is read.
package spec
