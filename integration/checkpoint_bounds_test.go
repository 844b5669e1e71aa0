package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

func TestCheckpointOfTheWrongState(t *testing.T) {
	b := newCheckpointed(t, prog("hold"))
	b.checkpoint().fails(t, "does not exist")
	b.create()
	b.checkpoint().fails(t, "created")
	b.wantStatus(specs.StateCreated)
	b.start().ok(t)
	b.tare("kill", b.id, "KILL").ok(t)
	b.waitStopped()
	b.checkpoint().fails(t, "not running")
	if exists(b.image()) {
		t.Error("a directory was made for the image")
	}
}

func TestCheckpointOfAPausedContainerThatWasNeverStarted(t *testing.T) {
	needController(t, "freezer")
	b := newBundle(t, prog("hold"))
	b.create()
	b.tare("pause", b.id).ok(t)
	b.checkpoint().fails(t, "cannot checkpoint a container that is created")
	b.wantStatus("paused")
}

func TestCheckpointWithoutCRIU(t *testing.T) {
	b := newBundle(t)
	b.count()
	b.runQuiet()
	b.env = []string{"PATH=" + b.hostDir("empty")}
	b.checkpoint().fails(t, "criu: executable file not found")
	b.wantStatus(specs.StateRunning)
	b.waitCount(b.counted() + 1)
	b.tare("delete", "--force", b.id).ok(t)
	b.restore().fails(t, "criu: executable file not found")
	b.wantGone()
}

func TestFeaturesTellWhetherThereIsCRIU(t *testing.T) {
	onlyTare(t, "others do not look")
	const key = "org.opencontainers.runc.checkpoint.enabled"
	b := newBundle(t)
	for dir, want := range map[string]string{b.hostDir("none"): "false", filepath.Dir(b.hostFile("some/criu", "")): "true"} {
		os.Chmod(filepath.Join(dir, "criu"), 0o755)
		b.env = []string{"PATH=" + dir}
		if got := decode[features.Features](t, b.tare("features").ok(t).out).Annotations[key]; got != want {
			t.Errorf("%s: %q, want %s", dir, got, want)
		}
	}
}

func TestCheckpointOptionsThatCannotBe(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.runQuiet()
	for flag, want := range map[string]string{
		"--manage-cgroups-mode=loose": "loose", "--empty-ns=user": "user", "--page-server=nowhere": "nowhere",
		"--status-fd=99": "status-fd", "--network-lock=none": "none",
	} {
		b.checkpoint(flag).fails(t, want)
	}
	b.checkpoint("--pre-dump", "--lazy-pages").fails(t, "lazy")
	b.wantStatus(specs.StateRunning)
}

func TestCheckpointProbes(t *testing.T) {
	b := newBundle(t)
	for _, command := range []string{"checkpoint", "restore"} {
		b.tare(command, "--help").ok(t)
	}
	if r := b.tare("restore", "--lsm-mount-context"); r.code == 0 || !strings.Contains(r.err+r.out, "flag needs an argument") {
		t.Errorf("%v", r)
	}
}

func TestRestoreOfNothingLeavesNothing(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.write()
	b.restore().fails(t, "image path", "no such file")
	b.wantGone()
	mkdirs(t, b.image())
	log := filepath.Join(b.image(), "restore.log")
	b.restore().fails(t, "criu", log, "Error (")
	b.wantGone()
}

func TestDumpThatFailsLeavesTheContainerRunning(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.write()
	b.live = true
	// Its output is a file of the host, which criu cannot name.
	b.tare(b.line("run", []string{"-d"})...).ok(t)
	b.waitCount(2)
	b.checkpoint().fails(t, filepath.Join(b.image(), "dump.log"), "Error (")
	b.wantStatus(specs.StateRunning)
	b.waitCount(b.counted() + 2)
}

func TestWhatCannotBeCheckpointedIsSaid(t *testing.T) {
	dir := t.TempDir()
	for want, edit := range map[string]func(*specs.Spec){
		"idmapped": func(s *specs.Spec) {
			m := mnt("/mnt", "bind", dir, "bind")
			m.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1000, Size: 1}}
			m.GIDMappings = m.UIDMappings
			addMount(m)(s)
		},
		"mount namespace": dropNS("mount"),
	} {
		t.Run(want, func(t *testing.T) {
			onlyTare(t, "others try")
			b := newCheckpointed(t, edit)
			b.write()
			mkdirs(t, b.image())
			b.restore().fails(t, want)
			b.wantGone()
		})
	}
}

func TestFailingHookEndsARestore(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.runQuiet()
	b.waitCount(2)
	b.checkpoint().ok(t)
	b.spec.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/false"}}}
	b.write()
	b.restore().fails(t, "hooks.createRuntime[0]")
	b.wantGone()
	b.spec.Hooks = nil
	b.write()
	b.restore().ok(t)
	b.wantStatus(specs.StateRunning)
}

func TestConfigurationOfCRIUIsTheOneThatTheAnnotationNames(t *testing.T) {
	b := newCheckpointed(t)
	b.annotate("org.criu.config", b.hostFile("other.conf", "no-such-option\n"))
	b.count()
	b.runQuiet()
	b.waitCount(2)
	b.checkpoint().fails(t, "no-such-option")
	b.wantStatus(specs.StateRunning)
}

// CRIU works for as long as its master lives; what it has made is in the cgroup that the record names.
func TestKilledRestoreLeavesNothingAfterForceDelete(t *testing.T) {
	not(t, "runc", "leaves a mount")
	b := newCheckpointed(t)
	b.count()
	b.runQuiet()
	b.waitCount(2)
	b.checkpoint().ok(t)
	line := b.line("restore", criuFlags("--detach", "--image-path", b.image()))
	span := b.span(line...)
	b.wantSwept(-1)
	for i := range min(crashes(t), 15) {
		b.killedAt(span, line...)
		b.wantSwept(i)
	}
	b.restore().ok(t)
	b.waitCount(b.counted() + 1)
}

func TestInterruptedCheckpointLeavesTheContainerRunning(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.runQuiet()
	b.waitCount(2)
	pid := b.state().Pid
	line := append(append([]string{"checkpoint", "--image-path", b.image(), "--leave-running"}, criuFlags()...), b.id)
	span := b.span(line...)
	for range min(crashes(t), 8) {
		b.killedAt(span, line...)
		// criu notices by itself that nobody waits for it, and lets the processes go on.
		waitFor(t, "the container to run", func() bool { return b.state().Status == specs.StateRunning })
		if st := b.state(); st.Pid != pid {
			t.Fatalf("pid %d, was %d", st.Pid, pid)
		}
		b.waitCount(b.counted() + 1)
	}
}
