package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"tare/integration/report"
)

// needRootSystemd skips the case unless it may make services of the system.
func needRootSystemd(t *testing.T, tools ...string) {
	t.Helper()
	if !exists("/run/systemd/system") {
		skip(t, "systemd does not run here")
	}
	if os.Geteuid() != 0 {
		skip(t, "makes a service of the system: needs root")
	}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			skip(t, "no %s", tool)
		}
	}
}

// hostPrograms shows the host's programs and libraries to the container, read-only.
func hostPrograms(t *testing.T, b *bundle) {
	t.Helper()
	b.mayLeave("usr", "lib", "lib64", "run/notify")
	mkdirs(t, b.inRoot("usr"))
	for _, dir := range []string{"lib", "lib64"} {
		check(t, os.Symlink("usr/"+dir, b.inRoot(dir)))
	}
	b.edit(addMount(mnt("/usr", "bind", "/usr", "rbind", "ro")))
}

// service starts a unit of Type=notify whose program is the runtime; systemd-run returns when it is ready.
func (b *bundle) service(line ...string) (unit string, out []byte, err error) {
	unit = "tare-it-" + b.id + ".service"
	args := append([]string{"--unit", unit, "--property", "Type=notify", "--property", "NotifyAccess=all", "--property", "TimeoutStartSec=60",
		"--property", "Delegate=yes", "--", b.bin, "--root", b.root}, line...)
	b.t.Cleanup(func() {
		exec.Command("systemctl", "stop", unit).Run()
		exec.Command("systemctl", "reset-failed", unit).Run()
	})
	out, err = exec.Command("systemd-run", args...).CombinedOutput()
	return unit, out, err
}

func TestServiceIsReadyWhenSystemdNotifyInsideSaysSo(t *testing.T) {
	needRootSystemd(t, "systemd-notify", "systemd-run")
	b := newBundle(t)
	hostPrograms(t, b)
	b.edit(sh("/usr/bin/systemd-notify --ready; exec sleep 1000"))
	b.write()
	b.live = true
	unit, out, err := b.service("run", "-d", "--bundle", b.path, b.id)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pid := itoa(b.wantStatus(specs.StateRunning).Pid)
	for name, want := range map[string]string{"ActiveState": "active", "MainPID": pid, "SubState": "running"} {
		if got := systemctl("show", unit, "--property", name, "--value"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestServiceIsNotReadyBeforeTheContainerSaysSo(t *testing.T) {
	needRootSystemd(t, "systemd-run")
	b := newBundle(t, sh("exit 3"))
	b.mayLeave("run/notify")
	b.write()
	if _, out, err := b.service("run", "--bundle", b.path, b.id); err == nil {
		t.Errorf("systemd says it was ready: %s", out)
	}
}

func TestLogGoesToSystemdsJournal(t *testing.T) {
	needRootSystemd(t, "journalctl")
	b := newBundle(t, args("/no/such/program"))
	b.global = append(b.global, "--log", "journald:"+b.id)
	b.write()
	b.tare(b.line("run", nil)...).fails(t)
	type entry struct {
		Message  string `json:"MESSAGE"`
		Priority string `json:"PRIORITY"`
	}
	var got entry
	waitFor(t, "the journal to have the message", func() bool {
		out, _ := exec.Command("journalctl", "--output", "json", "--identifier", b.id, "--lines", "1").Output()
		return json.Unmarshal(out, &got) == nil && got.Message != ""
	})
	if !strings.Contains(got.Message, "/no/such/program") || got.Priority != "3" {
		t.Errorf("%+v", got)
	}
}

// profile loads an AppArmor profile of the case's own: all is allowed but writing below /data.
func profile(t *testing.T, name string) {
	t.Helper()
	if !exists("/sys/kernel/security/apparmor/.load") && !exists("/sys/module/apparmor") {
		skip(t, "no AppArmor")
	}
	if os.Geteuid() != 0 {
		skip(t, "loads an AppArmor profile: needs root")
	}
	if _, err := exec.LookPath("apparmor_parser"); err != nil {
		skip(t, "no apparmor_parser")
	}
	text := "profile " + name + " flags=(attach_disconnected,mediate_deleted) {\n capability,\n network,\n mount,\n ptrace,\n signal,\n umount,\n" +
		" file,\n deny /data/** w,\n}\n"
	file := filepath.Join(t.TempDir(), name)
	writeFile(t, file, text)
	if out, err := exec.Command("apparmor_parser", "--replace", "--skip-cache", file).CombinedOutput(); err != nil {
		t.Fatalf("apparmor_parser: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("apparmor_parser", "--remove", file).Run() })
}

func TestApparmorProfileConfinesTheProcess(t *testing.T) {
	b := newBundle(t)
	profile(t, b.id)
	b.edit(func(s *specs.Spec) { s.Process.ApparmorProfile = b.id },
		sh("cat /proc/self/attr/current; echo x > /data/f; echo $?; echo x > /tmp/f; echo $?"))
	b.mayLeave("tmp/f")
	if got, want := b.run().ok(t).out, b.id+" (enforce)\n1\n0\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestApparmorProfileHoldsForExec(t *testing.T) {
	b := newBundle(t)
	profile(t, b.id)
	b.edit(func(s *specs.Spec) { s.Process.ApparmorProfile = b.id })
	b.hold()
	for _, options := range [][]string{nil, {"--apparmor", ""}} {
		if got, want := b.execWith(options, "/bin/cat", "/proc/self/attr/current").ok(t).out, b.id+" (enforce)\n"; got != want {
			t.Errorf("%q: %q, want %q", options, got, want)
		}
	}
}

func TestExecApparmorOptionTakesAProfile(t *testing.T) {
	b := newBundle(t)
	profile(t, b.id)
	b.hold()
	if got, want := b.execWith([]string{"--apparmor", b.id}, "/bin/cat", "/proc/self/attr/current").ok(t).out, b.id+" (enforce)\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestApparmorProfileThatIsNotLoadedFails(t *testing.T) {
	b := newBundle(t)
	profile(t, b.id)
	b.edit(func(s *specs.Spec) { s.Process.ApparmorProfile = b.id + "-absent" }, args("/bin/true"))
	b.run().fails(t, "pparmor", b.id+"-absent")
	b.wantGone()
}

func TestApparmorProfileHoldsWithoutNoNewPrivileges(t *testing.T) {
	b := newBundle(t)
	profile(t, b.id)
	b.edit(func(s *specs.Spec) { s.Process.ApparmorProfile, s.Process.NoNewPrivileges = b.id, false })
	f := decode[report.Facts](t, b.run().ok(t).out)
	if len(f.NS) == 0 {
		t.Errorf("%+v", f)
	}
	b.edit(sh("cat /proc/self/attr/current"))
	if got := b.run().ok(t).out; got != b.id+" (enforce)\n" {
		t.Errorf("%q", got)
	}
}
