package seccomp

// LibraryVersion is the version of the libseccomp in use, "2.5.4".
func LibraryVersion() string { return libraryVersion() }
