package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// copyProg puts a copy of testprog with its own mode into the rootfs.
func copyProg(t *testing.T, b *bundle, name string, mode uint32) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(suite.base, "testprog"))
	check(t, err)
	check(t, os.WriteFile(b.inRoot(name), data, 0o755))
	check(t, os.Chmod(b.inRoot(name), os.FileMode(mode&0o777)|setidBits(mode)))
}

func setidBits(mode uint32) (out os.FileMode) {
	if mode&0o4000 != 0 {
		out |= os.ModeSetuid
	}
	if mode&0o2000 != 0 {
		out |= os.ModeSetgid
	}
	return out
}

func holdsText(text, part string) bool { return strings.Contains(text, part) }
