package initstage_test

import (
	"os/exec"
	"strings"
	"testing"
)

// The init lane starts before most packages of the binary wake; one import too many wakes them all.
func TestImportLaw(t *testing.T) {
	t.Parallel()
	std := map[string]bool{"errors": true, "strconv": true, "sync/atomic": true, "runtime": true, "syscall": true, "unsafe": true}
	for _, c := range []struct {
		pkg  string
		tare []string
	}{
		{"tare/internal/sys", nil},
		{"tare/internal/step", nil},
		{"tare/internal/rootfs", []string{"tare/internal/sys", "tare/internal/step"}},
		{"tare/internal/initstage", []string{"tare/internal/sys", "tare/internal/step", "tare/internal/rootfs"}},
	} {
		out, err := exec.Command("go", "list", "-f", `{{join .Imports "\n"}}`, c.pkg).Output()
		if err != nil {
			t.Fatalf("go list %s: %v", c.pkg, err)
		}
	imports:
		for _, imp := range strings.Fields(string(out)) {
			if std[imp] {
				continue
			}
			for _, ok := range c.tare {
				if imp == ok {
					continue imports
				}
			}
			t.Errorf("%s imports %s", c.pkg, imp)
		}
	}
	out, err := exec.Command("go", "list", "-deps", "tare/internal/initstage").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		switch dep {
		case "time", "os", "fmt", "reflect", "sort", "strings", "bytes", "io", "encoding/binary", "golang.org/x/sys/unix":
			t.Errorf("the lane depends on %s", dep)
		}
	}
	// unsafe shows in the file name, and only in sys.
	out, err = exec.Command("sh", "-c", `cd ../.. && grep -l '"unsafe"' internal/sys/*.go internal/step/*.go internal/rootfs/*.go internal/initstage/*.go`).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range strings.Fields(string(out)) {
		if !strings.HasSuffix(f, "_test.go") && (!strings.HasPrefix(f, "internal/sys/") || !strings.HasSuffix(f, "_unsafe.go")) {
			t.Errorf("%s uses unsafe", f)
		}
	}
}
