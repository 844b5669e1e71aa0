package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The labels of testdata/selinux.cil.
const (
	boxLabel   = "tare_u:tare_r:box_t"
	hostLabel  = "tare_u:tare_r:host_t"
	storeLabel = "tare_u:object_r:store_t"
	noLabel    = "tare_u:tare_r:absent_t"
)

// loadPolicy compiles and loads the suite's policy; why says what stands against it.
var loadPolicy = sync.OnceValues(func() (why string, err error) {
	const fs = "/sys/fs/selinux/"
	switch enforce, err := os.ReadFile(fs + "enforce"); {
	case err != nil:
		return "no SELinux", nil
	case string(enforce) != "0":
		return "SELinux enforces a policy", nil
	}
	if os.Geteuid() != 0 {
		return "loads an SELinux policy: needs root", nil
	}
	switch label, _ := os.ReadFile("/proc/self/attr/current"); strings.TrimRight(string(label), "\x00\n") {
	case hostLabel: // by an earlier process of the suite
		return "", nil
	case "kernel": // no policy
	default:
		return "the machine has an SELinux policy of its own", nil
	}
	if _, err := exec.LookPath("secilc"); err != nil {
		return "no secilc, which compiles a policy", nil
	}
	dir, err := os.MkdirTemp("", "selinux")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "policy")
	if err := exec.Command("secilc", "-M", "false", "-c", "33", "-o", out, "-f", os.DevNull, "testdata/selinux.cil").Run(); err != nil {
		return "", err
	}
	policy, err := os.ReadFile(out)
	if err != nil {
		return "", err
	}
	return "", os.WriteFile(fs+"load", policy, 0) // in one write
})

// newLabelled is a container on a machine where SELinux labels, and forbids nothing.
func newLabelled(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	why, err := loadPolicy()
	check(t, err)
	if why != "" {
		skip(t, "%s", why)
	}
	return newBundle(t, edits...)
}

func selinuxLabel(label string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Process.SelinuxLabel = label }
}

// wantFileLabel looks at a path of the container from outside.
func (b *bundle) wantFileLabel(path, want string) {
	b.t.Helper()
	buf := make([]byte, 256)
	n, err := unix.Getxattr("/proc/"+strconv.Itoa(b.state().Pid)+"/root"+path, "security.selinux", buf)
	check(b.t, err)
	if got := strings.TrimRight(string(buf[:n]), "\x00"); got != want {
		b.t.Errorf("%s is %q, want %q", path, got, want)
	}
}

const ownLabel = "/proc/self/attr/current"

func label(r result) string { return strings.TrimRight(r.out, "\x00\n") }

func TestSelinuxLabelIsTheProcesss(t *testing.T) {
	for name, nnp := range map[string]bool{"no new privileges": true, "new privileges": false} {
		t.Run(name, func(t *testing.T) {
			b := newLabelled(t, selinuxLabel(boxLabel), args("/bin/cat", ownLabel), func(s *specs.Spec) { s.Process.NoNewPrivileges = nnp })
			if got := label(b.run().ok(t)); got != boxLabel {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestProcessWithoutSelinuxLabelKeepsTheCallers(t *testing.T) {
	b := newLabelled(t, args("/bin/cat", ownLabel))
	if got := label(b.run().ok(t)); got != hostLabel {
		t.Errorf("%q", got)
	}
}

func TestSelinuxLabelHoldsForExec(t *testing.T) {
	b := newLabelled(t, selinuxLabel(boxLabel))
	b.hold()
	if got := label(b.exec("/bin/cat", ownLabel).ok(t)); got != boxLabel {
		t.Errorf("%q", got)
	}
}

func TestExecProcessLabelOptionTakesALabel(t *testing.T) {
	b := newLabelled(t)
	b.hold()
	if got := label(b.execWith([]string{"--process-label", boxLabel}, "/bin/cat", ownLabel).ok(t)); got != boxLabel {
		t.Errorf("%q", got)
	}
}

func TestSessionKeyringHasTheSelinuxLabel(t *testing.T) {
	b := newLabelled(t, selinuxLabel(boxLabel))
	if got := b.facts().KeyringLabel; got != boxLabel {
		t.Errorf("%q", got)
	}
}

func TestMountLabelReachesMounts(t *testing.T) {
	b := newLabelled(t, addMount(mnt("/mnt", "tmpfs", "tmpfs")), func(s *specs.Spec) { s.Linux.MountLabel = storeLabel })
	b.hold()
	for _, path := range []string{"/mnt", "/dev", "/dev/null", "/dev/shm", "/dev/mqueue"} {
		b.wantFileLabel(path, storeLabel)
	}
	for _, path := range []string{"/proc", "/sys"} {
		b.wantFileLabel(path, "tare_u:object_r:host_t")
	}
}

func TestMountContextTypeLabelsTheRootAlone(t *testing.T) {
	b := newLabelled(t, addMount(mnt("/mnt", "tmpfs", "tmpfs")), annotate("run.oci.mount_context_type", "rootcontext"),
		func(s *specs.Spec) { s.Linux.MountLabel = storeLabel })
	b.hold()
	b.exec("/bin/sh", "-c", "echo x >/mnt/file").ok(t)
	b.wantFileLabel("/mnt", storeLabel)
	if got := b.exec("/bin/cat", "/proc/self/mounts").ok(t).out; strings.Contains(got, ",context=") {
		t.Errorf("%s", got)
	}
}

func TestSelinuxLabelThatThePolicyLacksFails(t *testing.T) {
	b := newLabelled(t, selinuxLabel(noLabel))
	b.run().fails(t, "process.selinuxLabel", noLabel, "invalid argument")
	b.wantGone()
}

func TestMountLabelThatThePolicyLacksFails(t *testing.T) {
	b := newLabelled(t, func(s *specs.Spec) { s.Linux.MountLabel = noLabel })
	b.run().fails(t, "mounts[", noLabel, "invalid argument")
	b.wantGone()
}
