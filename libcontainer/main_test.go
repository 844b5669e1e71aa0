package libcontainer_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/spec"
	_ "tare/nsenter" // the test binary is its own init stage
)

// bundle is a bundle with a shell and a program in its rootfs, and stateRoot an empty state root.
var bundle, stateRoot string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Geteuid() != 0 {
		fmt.Println("skipped: containers need root here; the rootless cases are in package integration")
		return 0
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		fmt.Println("skipped: no busybox for a rootfs (install busybox-static)")
		return 0
	}
	dir, err := os.MkdirTemp("", "tare-lib-")
	if err == nil {
		defer os.RemoveAll(dir)
		bundle, stateRoot = filepath.Join(dir, "bundle"), filepath.Join(dir, "state")
		err = makeBundle(bundle, busybox)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer removeParents()
	return m.Run()
}

// removeParents removes the cgroup that the tests' cgroups lay in: parents outlive their containers.
func removeParents() {
	dirs, _ := filepath.Glob(fmt.Sprintf("/sys/fs/cgroup/*/tare-lib-%d", os.Getpid()))
	for _, d := range append(dirs, fmt.Sprintf("/sys/fs/cgroup/tare-lib-%d", os.Getpid())) {
		os.Remove(d)
	}
}

// The program says hello, or with "wait" waits for its input to end.
const program = `#!/bin/busybox sh
if [ "$1" = wait ]; then exec /bin/busybox cat; fi
echo hello from the container
`

func makeBundle(dir, busybox string) error {
	bin := filepath.Join(dir, "rootfs", "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	if out, err := exec.Command("cp", busybox, bin).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := os.WriteFile(filepath.Join(bin, "hello"), []byte(program), 0o755); err != nil {
		return err
	}
	config, err := spec.SampleJSON(spec.SampleOptions{})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644)
}

// testSpec is the sample with a program of ours, in a cgroup of this test process.
func testSpec(id string, args ...string) *specs.Spec {
	s := spec.Sample(spec.SampleOptions{})
	s.Process.Terminal = false
	s.Process.Args = args
	s.Root.Path = filepath.Join(bundle, "rootfs")
	s.Linux.CgroupsPath = fmt.Sprintf("/tare-lib-%d/%s", os.Getpid(), id)
	return s
}

// bounded ends a wait that would last for ever; an emulated machine takes minutes for a hundred containers.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// slowHooks make a file, and go on for long.
func slowHooks(began string) *specs.Hooks {
	return &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo >" + began + "; exec sleep 1000"}}}}
}
