package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestVersionFlagsPrintVersionCommitAndSpec(t *testing.T) {
	for _, flag := range []string{"--version", "-v"} {
		t.Run(flag, func(t *testing.T) {
			b := newBundle(t)
			out := b.tare(flag).ok(t).out
			first, _, _ := strings.Cut(out, "\n")
			if !strings.HasPrefix(first, suite.subject+" version ") {
				t.Errorf("first line %q", first)
			}
			if !strings.Contains(out, "\nspec: 1.") {
				t.Errorf("no spec line in %q", out)
			}
		})
	}
}

func TestVersionCommandLineWorksBeforeAnyStateRoot(t *testing.T) {
	b := newBundle(t)
	b.do(command(b, "--root", filepath.Join(b.dir, "none", "deeper"), "--version")).ok(t)
	if exists(filepath.Join(b.dir, "none")) {
		t.Error("--version made the state root")
	}
}

func TestHelpExitsZero(t *testing.T) {
	for _, line := range [][]string{{"--help"}, {"-h"}, {"create", "--help"}, {"exec", "--help"}} {
		t.Run(strings.Join(line, " "), func(t *testing.T) {
			b := newBundle(t)
			if out := b.tare(line...).ok(t).out; !strings.Contains(strings.ToLower(out), "usage") {
				t.Errorf("no usage in %q", out)
			}
		})
	}
}

func TestUnknownOptionFails(t *testing.T) {
	for name, line := range map[string][]string{
		"global": {"--no-such-option", "list"}, "command": {"create", "--no-such-option", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			b.do(command(b, line...)).failsWith(t, 1, "no-such-option")
		})
	}
}

func TestUnknownCommandFails(t *testing.T) {
	not(t, "runc", "prints a hint and exits with 3")
	b := newBundle(t)
	b.tare("no-such-command").fails(t, "no-such-command")
}

func TestMissingIDFails(t *testing.T) {
	for _, command := range []string{"create", "run", "start", "state", "kill", "delete", "exec", "pause", "resume", "ps", "update", "events"} {
		t.Run(command, func(t *testing.T) {
			b := newBundle(t)
			if r := b.tare(command); r.code != 1 || r.err+r.out == "" {
				t.Errorf("%v", r)
			}
		})
	}
}

func TestSurplusArgumentFails(t *testing.T) {
	for _, line := range [][]string{{"state", "a", "b"}, {"start", "a", "b"}, {"delete", "a", "b"}, {"create", "a", "b"}} {
		t.Run(line[0], func(t *testing.T) {
			b := newBundle(t)
			if r := b.tare(line...); r.code != 1 || r.err+r.out == "" {
				t.Errorf("%v", r)
			}
		})
	}
}

func TestOptionValueMayFollowEqualsSign(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.write()
	b.tare("run", "--bundle="+b.path, b.id).ok(t)
}

func TestLongOptionWorksWithOneDash(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.write()
	b.tare("run", "-no-subreaper", "-bundle", b.path, b.id).ok(t)
}

func TestBundleDefaultsToWorkingDirectory(t *testing.T) {
	b := newBundle(t, args("/bin/echo", "from here"))
	b.write()
	cmd := b.cmd("run", b.id)
	cmd.Dir = b.path
	if out := b.do(cmd).ok(t).out; out != "from here\n" {
		t.Errorf("%q", out)
	}
}

func TestBundleMayBeRelative(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.write()
	b.live = true
	b.tare("run", "-d", "-b", "bundle", b.id).ok(t)
	if got := b.state().Bundle; got != b.path {
		t.Errorf("state says bundle %q, want %q", got, b.path)
	}
}

func TestRootMayBeRelative(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.write()
	b.live = true
	b.do(command(b, "--root", "state", "run", "-d", "-b", b.path, b.id)).ok(t)
	b.wantStatus(specs.StateRunning)
}

func TestRootSlashIsRefused(t *testing.T) {
	for _, root := range []string{"/", ""} {
		t.Run("["+root+"]", func(t *testing.T) {
			not(t, "runc", "1.1 takes an empty root as the default one")
			b := newBundle(t)
			b.do(command(b, "--root", root, "list")).fails(t)
		})
	}
}

func TestExplicitMissingRootFailsList(t *testing.T) {
	not(t, "runc", "1.1 prints an empty list")
	b := newBundle(t)
	b.do(command(b, "--root", filepath.Join(b.dir, "none"), "list")).fails(t, "no such file or directory")
}

func TestRootIsMadePrivate(t *testing.T) {
	b := newBundle(t)
	check(t, os.Remove(b.root))
	b.edit(args("/bin/sleep", "1000"))
	b.detach()
	info, err := os.Stat(b.root)
	check(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("state root has mode %v", info.Mode())
	}
}

func TestConfigOptionNamesAnotherFile(t *testing.T) {
	onlyTare(t, "--config, as crun has it")
	b := newBundle(t, args("/bin/echo", "other"))
	writeJSON(t, filepath.Join(b.dir, "other.json"), b.spec)
	b.before = treeOf(b.rootfs)
	if out := b.tare("run", "--bundle", b.path, "--config", filepath.Join(b.dir, "other.json"), b.id).ok(t).out; out != "other\n" {
		t.Errorf("%q", out)
	}
}

func TestConfigOptionIsRelativeToTheCallerNotTheBundle(t *testing.T) {
	onlyTare(t, "--config, as crun has it")
	b := newBundle(t, args("/bin/echo", "caller's"))
	writeJSON(t, filepath.Join(b.dir, "config2.json"), b.spec)
	b.before = treeOf(b.rootfs)
	b.tare("run", "-b", b.path, "-f", "config2.json", b.id).ok(t) // cmd.Dir is b.dir
}

func TestContainerIDRules(t *testing.T) {
	for name, id := range map[string]string{"slash": "a/b", "dot": ".", "dotdot": "..", "blank": "a b", "empty": "",
		"newline": "a\nb", "not ASCII": "é", "percent": "a%b"} {
		t.Run("refuses "+name, func(t *testing.T) {
			b := newBundle(t)
			b.write()
			b.tare("create", "--bundle", b.path, id).fails(t)
		})
	}
	t.Run("takes all allowed characters", func(t *testing.T) {
		b := newBundle(t, args("/bin/true"))
		b.id = "Az09_+.-" + b.id
		b.run().ok(t)
	})
}

func TestRefusedIDSaysInvalidFormat(t *testing.T) {
	b := newBundle(t)
	b.write()
	b.tare("create", "--bundle", b.path, "a b").fails(t, "invalid container ID format")
}

func TestLogFileIsAppendedInText(t *testing.T) {
	b := newBundle(t)
	log := b.hostFile("log", "first line\n")
	b.global = []string{"--log", log}
	b.tare("state", "none").fails(t, "does not exist")
	text := readFile(t, log)
	if !strings.HasPrefix(text, "first line\n") || !strings.Contains(text, "does not exist") || !strings.Contains(text, "level=error") {
		t.Errorf("log: %q", text)
	}
}

func TestLogFileIsJSONObjectsWithLevelMsgTime(t *testing.T) {
	b := newBundle(t)
	log := filepath.Join(b.dir, "log.json")
	b.global = []string{"--log", log, "--log-format", "json"}
	b.tare("state", "none").fails(t, "does not exist")
	lines := strings.Split(strings.TrimSuffix(readFile(t, log), "\n"), "\n")
	if len(lines) != 1 {
		t.Fatalf("%d lines: %q", len(lines), lines)
	}
	var entry struct{ Level, Msg, Time string }
	check(t, json.Unmarshal([]byte(lines[0]), &entry))
	if entry.Level != "error" || !strings.Contains(entry.Msg, "does not exist") {
		t.Errorf("%+v", entry)
	}
	if _, err := time.Parse(time.RFC3339, entry.Time); err != nil {
		t.Error(err)
	}
}

func TestLogFormatOtherThanTextOrJSONFails(t *testing.T) {
	b := newBundle(t)
	b.global = []string{"--log-format", "xml"}
	b.tare("list").fails(t, "xml")
}

func TestLogToFilePrefix(t *testing.T) {
	onlyTare(t, "--log file:PATH, as crun has it")
	b := newBundle(t)
	log := filepath.Join(b.dir, "log")
	b.global = []string{"--log", "file:" + log}
	b.tare("state", "none").fails(t)
	if !holds(log, "does not exist") {
		t.Error("no error in the log file")
	}
}

func TestLogLevelUnknownFails(t *testing.T) {
	onlyTare(t, "--log-level")
	b := newBundle(t)
	b.global = []string{"--log-level", "loud"}
	b.tare("list").fails(t, "loud")
}

func TestDebugWritesDebugLinesToTheLogOnly(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	log := filepath.Join(b.dir, "log")
	b.global = []string{"--debug", "--log", log}
	r := b.run().ok(t)
	if r.err != "" {
		t.Errorf("stderr: %q", r.err)
	}
	if !holds(log, "level=debug") {
		t.Errorf("no debug line in %q", readFile(t, log))
	}
	if !holds(log, "init: exec") || holds(log, "init: unknown") {
		t.Errorf("steps without a name in %q", readFile(t, log))
	}
}

func TestLogFileIsNotInheritedByTheContainer(t *testing.T) {
	b := newBundle(t)
	log := filepath.Join(b.dir, "log")
	b.global = []string{"--debug", "--log", log}
	for fd, link := range b.facts().FDs {
		if fd > 2 {
			t.Errorf("fd %d is %s", fd, link)
		}
	}
}

func TestErrorGoesToStderrAndNothingToStdout(t *testing.T) {
	b := newBundle(t)
	if r := b.tare("state", "none").fails(t, "does not exist"); r.out != "" {
		t.Errorf("stdout: %q", r.out)
	}
}

func TestCgroupManagerUnknownFails(t *testing.T) {
	onlyTare(t, "--cgroup-manager")
	b := newBundle(t, args("/bin/true"))
	b.global = []string{"--cgroup-manager", "none-such"}
	b.run().fails(t, "none-such")
}

func TestCgroupManagerDisabledMakesNoCgroup(t *testing.T) {
	onlyTare(t, "--cgroup-manager")
	b := newBundle(t, func(s *specs.Spec) { s.Linux.Resources = nil })
	b.global = []string{"--cgroup-manager", "disabled"}
	b.hold()
	b.wantNoCgroups()
	b.tare("exec", b.id, "/bin/true").ok(t)
	b.tare("kill", b.id, "KILL").ok(t)
	b.waitStopped()
	b.tare("delete", b.id).ok(t)
}

func TestRuntimeEnvironmentStaysOutOfTheContainer(t *testing.T) {
	b := newBundle(t)
	b.env = append(os.Environ(), "_OCI_SYNCPIPE=9", "SECRET=x", "LISTEN_FDS=", "XDG_RUNTIME_DIR="+b.dir)
	for _, kv := range b.facts().Env {
		if k, _, _ := strings.Cut(kv, "="); k != "PATH" && k != "TARE_IT" && k != "HOME" {
			t.Errorf("leaked %s", kv)
		}
	}
}

func TestWithoutRootOptionXDGRuntimeDirIsNotUsedByRealRoot(t *testing.T) {
	b := newBundle(t)
	b.env = append(os.Environ(), "XDG_RUNTIME_DIR="+b.dir+"/xdg")
	b.do(command(b, "list")).ok(t)
	if exists(b.dir + "/xdg/" + suite.subject) {
		t.Error("list made a state root below XDG_RUNTIME_DIR")
	}
}
