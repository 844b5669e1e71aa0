package state

import (
	"bytes"
	"os"
	"path/filepath"
)

// DefaultRoot is the root directory when the user names none: /run/tare for the host's root,
// $XDG_RUNTIME_DIR/tare for everybody else and for a user who is root only in a user namespace.
// xdg tells that it lies below $XDG_RUNTIME_DIR: a Store there needs Sticky.
func DefaultRoot() (root string, xdg bool) {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" || !unprivileged() {
		return "/run/tare", false
	}
	return filepath.Join(dir, "tare"), true
}

// unprivileged: not root, or root in a user namespace whose environment does not say that it is root's:
// an engine may pass on nothing but XDG_RUNTIME_DIR.
func unprivileged() bool {
	if os.Geteuid() != 0 {
		return true
	}
	return os.Getenv("USER") != "root" && inUserNamespace()
}

// inUserNamespace: the initial user namespace maps every id to itself.
func inUserNamespace() bool {
	b, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false // no user namespaces in this kernel
	}
	f := bytes.Fields(b)
	return len(f) != 3 || string(f[0]) != "0" || string(f[1]) != "0" || string(f[2]) != "4294967295"
}
