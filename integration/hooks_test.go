package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"tare/integration/report"
)

var hookNames = []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}

// hostHook is a hook that runs testprog on the host and reports to the case's file of reports.
func (b *bundle) hostHook(name string, actions ...string) specs.Hook {
	prog := filepath.Join(suite.base, "testprog")
	return specs.Hook{Path: prog, Args: append([]string{"testprog", "hook", b.hookFile(), "tag=" + name}, actions...)}
}

// hookFile is where hooks report: for the container it is /data/hooks.
func (b *bundle) hookFile() string { return filepath.Join(b.dir, "hooks/reports") }

// innerHook is a startContainer hook: it runs the container's testprog.
func (b *bundle) innerHook(name string, actions ...string) specs.Hook {
	return specs.Hook{Path: "/testprog", Args: append([]string{"testprog", "hook", "/data/reports", "tag=" + name}, actions...)}
}

// hook adds a hook of that name with the given actions.
func (b *bundle) hook(name string, actions ...string) *specs.Hook {
	b.t.Helper()
	mkdirs(b.t, filepath.Dir(b.hookFile()))
	if b.spec.Hooks == nil {
		b.spec.Hooks = &specs.Hooks{}
		b.edit(addMount(mnt("/data", "bind", filepath.Dir(b.hookFile()), "bind")))
	}
	h := b.hostHook(name, actions...)
	if name == "startContainer" {
		h = b.innerHook(name, actions...)
	}
	list := b.hookList(name)
	*list = append(*list, h)
	return &(*list)[len(*list)-1]
}

func (b *bundle) hookList(name string) *[]specs.Hook {
	switch h := b.spec.Hooks; name {
	case "prestart":
		return &h.Prestart //nolint:staticcheck // deprecated, but honoured
	case "createRuntime":
		return &h.CreateRuntime
	case "createContainer":
		return &h.CreateContainer
	case "startContainer":
		return &h.StartContainer
	case "poststart":
		return &h.Poststart
	}
	return &b.spec.Hooks.Poststop
}

// reports are what the hooks have reported until now.
func (b *bundle) reports() []report.Hook {
	b.t.Helper()
	data, _ := os.ReadFile(b.hookFile())
	var out []report.Hook
	for line := range strings.Lines(string(data)) {
		out = append(out, decode[report.Hook](b.t, line))
	}
	return out
}

func tags(reports []report.Hook) string {
	var out []string
	for _, r := range reports {
		out = append(out, r.Tag)
	}
	return strings.Join(out, " ")
}

// only returns the one report of that tag.
func (b *bundle) report(tag string) report.Hook {
	b.t.Helper()
	for _, r := range b.reports() {
		if r.Tag == tag {
			return r
		}
	}
	b.t.Fatalf("no report of %s", tag)
	return report.Hook{}
}

func TestHooksRunInTheOrderOfTheLifecycle(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	for _, name := range hookNames {
		b.hook(name)
	}
	b.create()
	if got := tags(b.reports()); got != "prestart createRuntime createContainer" {
		not(t, "runc", "1.1 runs poststart at create")
		t.Fatalf("after create: %s", got)
	}
	b.start().ok(t)
	got := tags(b.reports())
	if got != strings.Join(hookNames[:5], " ") {
		t.Fatalf("after start: %s", got)
	}
	b.waitStopped()
	b.tare("delete", b.id).ok(t)
	if got := tags(b.reports()); got != strings.Join(hookNames, " ") {
		t.Fatalf("after delete: %s", got)
	}
}

func TestHooksOfOneKindRunInListOrder(t *testing.T) {
	for _, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			for i := range 3 {
				h := b.hook(name)
				h.Args[3] = "tag=" + itoa(i)
			}
			b.run().ok(t)
			if got := tags(b.reports()); got != "0 1 2" {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestHookStateHasTheStatusOfItsPoint(t *testing.T) {
	want := map[string]specs.ContainerState{"prestart": "creating", "createRuntime": "creating", "createContainer": "creating",
		"startContainer": "created", "poststart": "running", "poststop": "stopped"}
	for _, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/sleep", "1000"), func(s *specs.Spec) { s.Annotations = map[string]string{"a/b": "c&d<e>"} })
			b.hook(name)
			b.detach()
			pid := b.state().Pid
			b.tare("delete", "--force", b.id).ok(t)
			r := b.report(name)
			st := decode[specs.State](t, r.State)
			if name == "poststart" {
				not(t, "runc", "1.1 runs it before")
			}
			if st.Status != want[name] || st.ID != b.id || st.Bundle != b.path || st.Annotations["a/b"] != "c&d<e>" || st.Version == "" {
				t.Errorf("%s", r.State)
			}
			wantPid := pid
			switch name {
			case "createContainer", "startContainer":
				wantPid = 1
			case "poststop":
				wantPid = 0
			}
			if st.Pid != wantPid {
				if name == "createContainer" || name == "poststop" {
					not(t, "runc", "1.1 differs in the pid")
				}
				t.Errorf("pid %d, want %d", st.Pid, wantPid)
			}
			if strings.Contains(strings.TrimSuffix(r.State, "\n"), "\n") {
				t.Errorf("more than one line: %q", r.State)
			}
		})
	}
}

func TestHookNamespaces(t *testing.T) {
	for _, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			b.hook(name)
			b.run().ok(t)
			r := b.report(name)
			inside := name == "createContainer" || name == "startContainer"
			for _, ns := range []string{"mnt", "net", "uts", "ipc", "pid"} {
				if (r.NS[ns] != ownNS(t, ns)) != inside {
					t.Errorf("%s is %s, host's %s", ns, r.NS[ns], ownNS(t, ns))
				}
			}
		})
	}
}

func TestHookRootAndPath(t *testing.T) {
	for _, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			b.hook(name)
			b.run().ok(t)
			r := b.report(name)
			if inRoot := slices.Contains(r.Root, "testprog"); inRoot != (name == "startContainer") {
				t.Errorf("/ holds %v", r.Root)
			}
		})
	}
}

func TestHookWorkingDirectory(t *testing.T) {
	for _, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			not(t, "runc", "1.1 differs")
			b := newBundle(t, args("/bin/true"), func(s *specs.Spec) { s.Process.Cwd = "/etc" })
			b.hook(name)
			b.create()
			b.start().ok(t)
			b.waitStopped()
			b.tare("delete", b.id).ok(t)
			want := b.path
			switch name {
			case "createContainer":
				want = b.rootfs
			case "startContainer":
				want = "/etc"
			}
			if got := b.report(name).Cwd; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestHookArgumentsAreTakenAsGiven(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	h := b.hook("createRuntime")
	h.Args = append(h.Args, "", "a b")
	h.Args[0] = "other name"
	b.run().ok(t)
	if got := b.reports()[0].Args; !slices.Equal(got, h.Args) {
		t.Errorf("%q", got)
	}
}

func TestHookEnvironmentIsTheGivenList(t *testing.T) {
	for _, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			b.hook(name).Env = []string{"ONE=1", "TWO=a b"}
			b.run().ok(t)
			if got := b.report(name).Env; !slices.Equal(got, []string{"ONE=1", "TWO=a b"}) {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestHookWithoutEnvInheritsTheRuntimes(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.hook("createRuntime")
	b.env = append(os.Environ(), "INHERITED=yes")
	b.run().ok(t)
	if got := b.report("createRuntime").Env; !slices.Contains(got, "INHERITED=yes") {
		not(t, "runc", "1.1 gives an empty one")
		t.Errorf("%q", got)
	}
}

func TestStartContainerHookWithoutEnvHasTheProcessEnvironment(t *testing.T) {
	not(t, "runc", "1.1 differs")
	b := newBundle(t, args("/bin/true"), addEnv("OF=process"))
	b.hook("startContainer")
	b.run().ok(t)
	if got := b.report("startContainer").Env; !slices.Contains(got, "OF=process") {
		t.Errorf("%q", got)
	}
}

func TestHookThatDoesNotReadItsStdinIsFine(t *testing.T) {
	b := newBundle(t, args("/bin/true"), func(s *specs.Spec) {
		s.Annotations = map[string]string{"big": strings.Repeat("x", 300000)}
	})
	b.hook("createRuntime", "nostdin")
	b.run().ok(t)
}

func TestHookHasNoStrayDescriptors(t *testing.T) {
	for _, name := range hookNames {
		t.Run(name, func(t *testing.T) {
			if name == "createContainer" || name == "startContainer" {
				not(t, "runc", "its container hooks inherit sockets")
			}
			b := newBundle(t, args("/bin/true"))
			b.hook(name)
			b.run().ok(t)
			for fd, link := range b.report(name).FDs {
				if fd > 2 {
					t.Errorf("fd %d is %s", fd, link)
				}
			}
		})
	}
}

func TestCreateRuntimeHookSeesTheContainersNamespaces(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.hook("createRuntime")
	b.detach()
	r := b.report("createRuntime")
	for _, ns := range []string{"net", "mnt", "uts", "ipc"} {
		if want, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", b.state().Pid, ns)); r.InitNS[ns] != want {
			t.Errorf("%s: hook saw %s, init has %s", ns, r.InitNS[ns], want)
		}
	}
}

func TestLimitsAreAppliedBeforeCreateRuntimeHooks(t *testing.T) {
	needController(t, "pids")
	b := newBundle(t, args("/bin/true"), resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(77))} }))
	b.hook("createRuntime")
	b.spec.Hooks.CreateRuntime = append(b.spec.Hooks.CreateRuntime, specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c",
		fmt.Sprintf("cat %s/pids.max > %s/seen", b.cgroupDir("pids"), b.dir)}, Env: []string{"PATH=/bin:/usr/bin"}})
	b.run().ok(t)
	if got := strings.TrimSpace(readFile(t, b.dir+"/seen")); got != "77" {
		t.Errorf("%q", got)
	}
}

func TestCreateContainerHookMayMountIntoTheRootfs(t *testing.T) {
	b := newBundle(t, args("/bin/cat", "/mnt/mark"))
	b.hook("createContainer")
	b.spec.Hooks.CreateContainer = append(b.spec.Hooks.CreateContainer, specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c",
		fmt.Sprintf("mount -t tmpfs hooked %s/mnt && echo hooked > %s/mnt/mark", b.rootfs, b.rootfs)}, Env: []string{"PATH=/bin:/usr/bin:/sbin:/usr/sbin"}})
	if out := b.run().ok(t).out; out != "hooked\n" {
		t.Errorf("%q", out)
	}
	if lines := mountLinesBelow(b.dir); len(lines) != 0 {
		t.Errorf("host sees %v", lines)
	}
}

func TestCreateContainerHookSeesTheRootWritable(t *testing.T) {
	b := newBundle(t, args("/bin/cat", "/etc/made"), func(s *specs.Spec) { s.Root.Readonly = true })
	b.mayLeave("etc/made")
	b.hook("createContainer")
	b.spec.Hooks.CreateContainer = append(b.spec.Hooks.CreateContainer, specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c",
		"echo early > " + b.rootfs + "/etc/made"}})
	if out := b.run().ok(t).out; out != "early\n" {
		t.Errorf("%q", out)
	}
}

func TestStartContainerHookRunsAtStartNotAtCreate(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.hook("startContainer")
	b.create()
	if got := tags(b.reports()); got != "" {
		t.Fatalf("ran at create: %s", got)
	}
	b.start().ok(t)
	b.report("startContainer")
}

func TestHooksAreNotRunAgainByExecOrState(t *testing.T) {
	b := newBundle(t)
	for _, name := range hookNames {
		b.hook(name)
	}
	b.hold()
	before := len(b.reports())
	b.exec("/bin/true").ok(t)
	b.state()
	if got := len(b.reports()); got != before {
		t.Errorf("%d reports, were %d", got, before)
	}
}

func TestHooksWriteToTheFilesOfTheAnnotations(t *testing.T) {
	not(t, "runc", "does not know them")
	b := newBundle(t, args("/bin/true"))
	out, errs := filepath.Join(b.dir, "out"), filepath.Join(b.dir, "err")
	b.edit(func(s *specs.Spec) {
		s.Annotations = map[string]string{"run.oci.hooks.stdout": out, "run.oci.hooks.stderr": errs}
		s.Hooks = &specs.Hooks{}
	})
	for _, name := range hookNames {
		list := b.hookList(name)
		*list = append(*list, specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "echo " + name + "; echo " + name + " >&2"}})
	}
	b.run().ok(t)
	want := strings.Join(hookNames, "\n") + "\n"
	if got := readFile(t, out); got != want {
		t.Errorf("stdout: %s", got)
	}
	if got := readFile(t, errs); got != want {
		t.Errorf("stderr: %s", got)
	}
}

func TestHookOutputFileThatCannotBeOpenedFails(t *testing.T) {
	not(t, "runc", "does not know them")
	b := newBundle(t, args("/bin/true"), func(s *specs.Spec) {
		s.Annotations = map[string]string{"run.oci.hooks.stdout": "/no/such/dir/out"}
		s.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/true"}}}
	})
	b.run().fails(t, `annotations["run.oci.hooks.stdout"]: open /no/such/dir/out: no such file or directory`)
	b.wantGone()
}

// asks is a hook that runs the runtime on its own container.
func (b *bundle) asks(line string) specs.Hook {
	mkdirs(b.t, filepath.Dir(b.hookFile()))
	script := fmt.Sprintf("%s --root %s %s %s > %s 2>&1 < /dev/null; true", b.bin, b.root, line, b.id, b.hookFile())
	return specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Timeout: ptr(int(deadline.Seconds()) / 2)}
}

func TestPoststartHookMayOperateOnTheContainer(t *testing.T) {
	needController(t, "pids")
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.spec.Hooks = &specs.Hooks{Poststart: []specs.Hook{b.asks("update --pids-limit 77")}}
	b.create()
	b.start().ok(t)
	if said := readFile(t, b.hookFile()); said != "" {
		t.Error(said)
	}
	if got := b.cgroupFile("pids", "pids.max", "pids.max"); strings.TrimSpace(got) != "77" {
		t.Errorf("pids.max: %s", got)
	}
}

func TestHookOfCreateIsToldThatTheContainerIsBeingCreated(t *testing.T) {
	not(t, "runc", "does not find it")
	for _, line := range []string{"start", "update --pids-limit 77", "pause", "resume", "delete", "checkpoint"} {
		t.Run(line, func(t *testing.T) {
			b := newBundle(t, args("/bin/sleep", "1000"))
			b.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{b.asks(line)}}
			b.create()
			if said := readFile(t, b.hookFile()); !strings.Contains(said, "a container that is being created") {
				t.Error(said)
			}
		})
	}
}
