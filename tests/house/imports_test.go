// Package house tests what the architecture promises of the source tree: who imports whom, what the
// init stage's early start may use, where init functions and unsafe code may stand
// (docs/ARCHITECTURE.md, "The house"); and that docs/SPEC.md and docs/THREATS.md are whole and name
// what exists.
package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Dir        string
	Standard   bool
	Imports    []string
	Deps       []string
	GoFiles    []string
	CgoFiles   []string
}

func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Standard,Imports,Deps,GoFiles,CgoFiles"}, args...)...)
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := d.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// law gives the packages of tare that a package may import. A name that ends in /... stands for all
// below it. Test files are free.
func law(path string) (may []string, known bool) {
	switch strings.TrimPrefix(path, "tare/") {
	case "internal/sys", "internal/step":
		return nil, true
	case "internal/rootfs":
		return []string{"internal/sys", "internal/step"}, true
	case "internal/calls":
		return []string{"internal/rootfs", "internal/step"}, true
	case "internal/initstage":
		return []string{"internal/sys", "internal/step", "internal/rootfs"}, true
	case "nsenter":
		return []string{"internal/initstage", "internal/step"}, true
	case "internal/spec":
		return []string{"internal/spec/..."}, true
	case "internal/plan":
		return []string{"internal/spec", "internal/step"}, true
	case "internal/facts":
		return []string{"internal/plan", "internal/sys"}, true
	case "internal/proc", "internal/child", "internal/tty":
		return []string{"internal/sys"}, true
	case "internal/state":
		return []string{"internal/proc", "internal/sys"}, true
	case "internal/hooks", "internal/host":
		return []string{"internal/child", "internal/step", "internal/sys"}, true
	case "internal/criu":
		return []string{"internal/child", "internal/plan", "internal/rootfs", "internal/sys"}, true
	case "internal/launch":
		return []string{"internal/step", "internal/sys"}, true
	case "libcontainer":
		return []string{"internal/spec", "internal/plan", "internal/facts", "internal/step", "internal/calls", "internal/launch", "internal/host", "internal/criu",
			"internal/hooks", "internal/state", "internal/proc", "cgroups/...", "seccomp"}, true
	case "internal/cli":
		return []string{"libcontainer", "internal/tty", "internal/spec", "internal/logging", "cgroups/...", "seccomp"}, true
	}
	switch {
	case path == "tare":
		return []string{"internal/cli", "nsenter"}, true
	case strings.HasPrefix(path, "tare/seccomp"):
		return []string{"seccomp/...", "internal/sys"}, true
	case strings.HasPrefix(path, "tare/cgroups"):
		return []string{"cgroups/...", "internal/sys"}, true
	case strings.HasPrefix(path, "tare/internal/spec/"):
		return []string{"internal/spec/..."}, true
	case strings.HasPrefix(path, "tare/internal/cli/"):
		return []string{"internal/..."}, true
	}
	return nil, false
}

func allowed(imported string, may []string) bool {
	name := strings.TrimPrefix(imported, "tare/")
	for _, m := range may {
		if below, ok := strings.CutSuffix(m, "/..."); ok && (name == below || strings.HasPrefix(name, below+"/")) {
			return true
		}
		if name == m {
			return true
		}
	}
	return false
}

func isOurs(path string) bool { return path == "tare" || strings.HasPrefix(path, "tare/") }

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for _, p := range list(t, "./...") {
		if strings.HasPrefix(p.ImportPath, "tare/tests/") || p.ImportPath == "tare/integration" || strings.HasPrefix(p.ImportPath, "tare/integration/") {
			continue
		}
		may, known := law(p.ImportPath)
		if !known {
			t.Errorf("%s: no rule says what it may import", p.ImportPath)
			continue
		}
		for _, i := range p.Imports {
			if isOurs(i) && !allowed(i, may) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}

// The init lane starts before most of the binary's packages are initialised. What it imports is
// initialised before it: each standard package here is one that costs next to nothing.
func TestInitLaneStaysThin(t *testing.T) {
	may := []string{"errors", "strconv", "sync/atomic", "runtime", "syscall", "unsafe", "runtime/coverage"}
	for _, p := range list(t, "./internal/sys", "./internal/step", "./internal/rootfs", "./internal/initstage") {
		for _, i := range p.Imports {
			if !isOurs(i) && !slices.Contains(may, i) {
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
	for _, p := range list(t, "./internal/initstage") {
		for _, heavy := range []string{"fmt", "os", "time", "reflect", "encoding/json"} {
			if slices.Contains(p.Deps, heavy) {
				t.Errorf("%s depends on %s", p.ImportPath, heavy)
			}
		}
	}
}

// A plan is a function of its arguments.
func TestPlanImportsNothingThatLooksAtTheHost(t *testing.T) {
	for _, p := range list(t, "./internal/plan") {
		for _, i := range p.Imports {
			switch i {
			case "os", "io", "io/fs", "time", "net", "syscall", "os/exec", "os/user", "path/filepath":
				t.Errorf("%s imports %s", p.ImportPath, i)
			}
		}
	}
}
