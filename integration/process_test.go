package integration

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestArgumentsArriveUnchanged(t *testing.T) {
	b := newBundle(t)
	want := []string{"/testprog", "facts", "", "a b", "'q\"", "new\nline", "\xff\xfe not text", "$HOME", "--id"}
	b.edit(args(want...))
	b.spec.Process.Args[6] = "é" // JSON has no invalid UTF-8
	want[6] = "é"
	r := b.run().ok(t)
	f := decode[struct{ Args []string }](t, r.out)
	if !slices.Equal(f.Args, want) {
		t.Errorf("%q", f.Args)
	}
}

func TestEnvironmentIsExactlyTheConfiguredOneAndHOME(t *testing.T) {
	b := newBundle(t, addEnv("A=1", "B=x=y", "EMPTY=", "S=a b\nc"))
	want := append(slices.Clone(b.spec.Process.Env), "HOME=/root")
	got := b.facts().Env
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestDuplicateEnvironmentEntryLastWins(t *testing.T) {
	b := newBundle(t, addEnv("D=1", "E=2", "D=3"), sh("echo $D"))
	if out := b.run().ok(t).out; out != "3\n" {
		t.Errorf("%q", out)
	}
}

func TestHomeComesFromTheContainersPasswd(t *testing.T) {
	b := newBundle(t, user(1000, 1000), sh("echo $HOME"))
	if out := b.run().ok(t).out; out != "/home/user\n" {
		t.Errorf("%q", out)
	}
}

func TestHomeOfAnUnknownUserIsTheRoot(t *testing.T) {
	b := newBundle(t, user(4242, 1), sh("echo $HOME"))
	if out := b.run().ok(t).out; out != "/\n" {
		t.Errorf("%q", out)
	}
}

func TestConfiguredHomeIsKept(t *testing.T) {
	b := newBundle(t, addEnv("HOME=/custom"), sh("echo $HOME"))
	if out := b.run().ok(t).out; out != "/custom\n" {
		t.Errorf("%q", out)
	}
}

func TestEmptyHomeIsReplaced(t *testing.T) {
	not(t, "runc", "1.1 keeps it")
	b := newBundle(t, addEnv("HOME="), sh("echo $HOME"))
	if out := b.run().ok(t).out; out != "/root\n" {
		t.Errorf("%q", out)
	}
}

func TestUserAndGroupsAreExactlyTheConfigured(t *testing.T) {
	b := newBundle(t, user(1000, 1001, 5, 6, 70000))
	f := b.facts()
	if f.UID != [4]int{1000, 1000, 1000, 1000} || f.GID != [4]int{1001, 1001, 1001, 1001} {
		t.Errorf("%v %v", f.UID, f.GID)
	}
	if fmt.Sprint(f.Groups) != "[5 6 70000]" {
		t.Errorf("groups %v", f.Groups)
	}
}

func TestNoAdditionalGroupsMeansNone(t *testing.T) {
	b := newBundle(t, user(1000, 1000))
	if f := b.facts(); len(f.Groups) != 0 {
		t.Errorf("groups %v", f.Groups)
	}
}

func TestUserNamesInTheImageDoNotMatter(t *testing.T) {
	b := newBundle(t, user(1000, 1000), args("/bin/true"))
	writeFile(t, b.inRoot("etc/passwd"), "1000:x:0:0:root:/evil:/bin/sh\n")
	b.edit(prog("facts"))
	if f := b.facts(); f.UID[0] != 1000 || f.GID[0] != 1000 {
		t.Errorf("%v", f.UID)
	}
}

func TestUmaskDefaultsTo022(t *testing.T) {
	b := newBundle(t)
	if f := b.facts(); f.Umask != 0o022 {
		t.Errorf("%o", f.Umask)
	}
}

func TestUmaskIsSet(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.User.Umask = ptr(uint32(0o137)) })
	if f := b.facts(); f.Umask != 0o137 {
		t.Errorf("%o", f.Umask)
	}
}

func TestUmaskZeroIsSet(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.User.Umask = ptr(uint32(0)) })
	if f := b.facts(); f.Umask != 0 {
		t.Errorf("%o", f.Umask)
	}
}

func TestNoNewPrivileges(t *testing.T) {
	for _, on := range []bool{true, false} {
		t.Run(fmt.Sprint(on), func(t *testing.T) {
			b := newBundle(t, func(s *specs.Spec) { s.Process.NoNewPrivileges = on })
			if f := b.facts(); f.NoNewPrivs != on {
				t.Errorf("%v", f.NoNewPrivs)
			}
		})
	}
}

func TestNewSessionKeyringIsJoined(t *testing.T) {
	b := newBundle(t)
	if f := b.facts(); !strings.HasSuffix(f.Keyring, ";_ses."+b.id) {
		t.Errorf("%q", f.Keyring)
	}
}

func TestNoNewKeyringKeepsTheCallers(t *testing.T) {
	b := newBundle(t)
	if f := b.facts("--no-new-keyring"); strings.Contains(f.Keyring, "_ses."+b.id) {
		t.Errorf("%q", f.Keyring)
	}
}

func TestParentDeathSignalIsNotSet(t *testing.T) {
	b := newBundle(t)
	b.edit(prog("hold"))
	b.detach()
	if f := b.execFacts(); f.PDeathSig != 0 {
		t.Errorf("signal %d", f.PDeathSig)
	}
}

func TestContainerProcessIsDumpable(t *testing.T) {
	b := newBundle(t)
	if f := b.facts(); f.Dumpable != 1 {
		t.Errorf("%d", f.Dumpable)
	}
}

func TestContainerProcessLeadsItsSession(t *testing.T) {
	b := newBundle(t)
	if f := b.facts(); f.SID != 1 || f.PGID != 1 {
		t.Errorf("session %d, group %d", f.SID, f.PGID)
	}
}

func TestMissingProcessFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process = nil })
	b.run().fails(t, "process")
	b.wantGone()
}

func TestEmptyArgsFail(t *testing.T) {
	b := newBundle(t, args())
	b.run().fails(t, "args must not be empty")
	b.wantGone()
}

func TestEnvironmentEntryWithoutEqualsSignFails(t *testing.T) {
	b := newBundle(t, addEnv("NOVALUE"))
	b.run().fails(t, "NOVALUE")
	b.wantGone()
}

func TestEnvironmentEntryWithNULFails(t *testing.T) {
	b := newBundle(t, addEnv("A=x\x00y"))
	b.run().fails(t)
	b.wantGone()
}

func TestEnvironmentEntryWithEmptyKeyFails(t *testing.T) {
	b := newBundle(t, addEnv("=x"))
	not(t, "runc", "1.1 passes it on")
	b.run().fails(t)
	b.wantGone()
}

func TestApparmorProfileWithoutApparmorFails(t *testing.T) {
	if exists("/sys/kernel/security/apparmor") {
		skip(t, "AppArmor is on")
	}
	b := newBundle(t, func(s *specs.Spec) { s.Process.ApparmorProfile = "some-profile" })
	b.run().fails(t, "pparmor")
	b.wantGone()
}

func TestSelinuxLabelWithoutSelinuxFails(t *testing.T) {
	if exists("/sys/fs/selinux/enforce") {
		skip(t, "SELinux is on")
	}
	b := newBundle(t, func(s *specs.Spec) { s.Process.SelinuxLabel = "system_u:system_r:x_t:s0" })
	b.run().fails(t, "elinux")
	b.wantGone()
}

func TestKeepOriginalGroupsAnnotation(t *testing.T) {
	not(t, "runc", "does not know it")
	if suite.plain {
		skip(t, "for root: the caller gets groups")
	}
	for value, want := range map[string]string{"1": "0 9 10\n", "0": "0 5\n"} {
		t.Run(value, func(t *testing.T) {
			b := newBundle(t, args("/bin/id", "-G"), func(s *specs.Spec) {
				s.Process.User.AdditionalGids = []uint32{5}
				s.Annotations = map[string]string{"run.oci.keep_original_groups": value}
			})
			b.write()
			cmd := b.cmd(b.line("run", nil)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{9, 10}}}
			if got := b.do(cmd).ok(t).out; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}
