package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"tare/libcontainer"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
	"github.com/urfave/cli/v3"
)

func testApp() (a *app, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	return &app{build: Build{Version: "1.2.3", Commit: "abc"}, stdout: stdout, stderr: stderr, failure: exitFailure}, stdout, stderr
}

// tare runs a command line within this process.
func tare(args ...string) (stdout, stderr string, code int) {
	a, out, errOut := testApp()
	code = a.main(append([]string{"tare"}, args...))
	return out.String(), errOut.String(), code
}

func TestFailures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct {
		args   []string
		stderr string // contains
		code   int
	}{
		{[]string{"bogus"}, `tare: unknown command "bogus" (see tare --help)`, 1},
		{[]string{"--bogus", "list"}, "tare: flag provided but not defined: -bogus (see tare --help)", 1},
		{[]string{"list", "--bogus"}, "tare: list: flag provided but not defined: -bogus (see tare list --help)", 1},
		{[]string{"list", "--root", dir}, "flag provided but not defined: -root", 1}, // a global one, too late
		{[]string{"--root"}, "flag needs an argument: --root", 1},
		{[]string{"--root", "", "list"}, `--root "": not a directory`, 1},
		{[]string{"--root", "/", "list"}, `--root "/": the root directory`, 1},
		{[]string{"--root=/../.", "list"}, `--root "/../.": the root directory`, 1},
		{[]string{"--root", dir + "/none", "list"}, "no such file or directory", 1},
		{[]string{"--log-format", "xml", "list"}, `--log-format "xml": not one of text, json`, 1},
		{[]string{"--log-format", "", "--root", dir + "/none", "list"}, "tare: list: ", 1},
		{[]string{"--log-level", "loud", "list"}, `--log-level "loud": not one of error, warning, info, debug`, 1},
		{[]string{"--log", dir + "/none/log", "list"}, "--log: open " + dir + "/none/log: no such file", 1},
		{[]string{"--log", "journald:", "list"}, `--log "journald:": an identifier`, 1},
		{[]string{"--cgroup-manager", "x", "list"}, `--cgroup-manager "x": not one of`, 1},
		{[]string{"--cgroup-manager", "cgroupfs", "--systemd-cgroup", "list"}, "exclude each other", 1},
		{[]string{"--log-level", "warning", "--root", dir, "--criu", "state", "list"}, "--criu: obsolete, ignored", 0},
		{[]string{"--rootless", "maybe", "list"}, `--rootless "maybe": not one of true, false, auto`, 1},
		{[]string{"state"}, "tare: state: exactly 1 argument(s) wanted (ID), 0 given (see tare state --help)", 1},
		{[]string{"start", "a", "b"}, "exactly 1 argument(s) wanted (ID), 2 given", 1},
		{[]string{"kill", "a", "b", "c"}, "1 to 2 arguments wanted (ID [SIGNAL]), 3 given", 1},
		{[]string{"--root", dir, "kill", "a", "-9"}, `unknown signal "-9"`, 1},
		{[]string{"--root", dir, "kill", "../x"}, "invalid container ID format", 1},
		{[]string{"--root", dir, "kill", "none"}, "container does not exist", 1},
		{[]string{"--root", dir, "kill", "--regex", "("}, `--regex "(": `, 1},
		{[]string{"--root", dir, "delete", "none"}, "container does not exist", 1},
		{[]string{"--root", dir, "delete", "--force", "none"}, "", 0},
		{[]string{"--root", dir, "delete", "--force", "none", "none2"}, "exactly 1 argument(s) wanted (ID), 2 given", 1},
		{[]string{"--root", dir, "delete", "-f", "../none"}, "invalid container ID format", 1},
		{[]string{"--root", dir, "delete", "--force", "--regex", "^none"}, "", 0},
		{[]string{"exec"}, "at least 2 argument(s) wanted", 1},
		{[]string{"exec", "a"}, "at least 2 argument(s) wanted", 255},
		{[]string{"exec", "--process", "f", "a", "ls"}, "--process and a command exclude each other", 255},
		{[]string{"exec", "--tty=maybe", "a", "ls"}, "invalid value \"maybe\" for flag -tty: parse error", 1},
		{[]string{"--root", dir, "exec", "none", "ls"}, "tare: exec: container \"none\": container does not exist", 255},
		{[]string{"list", "-f", "yaml"}, `--format "yaml": not one of table, json`, 1},
		{[]string{"ps", "-f", "yaml", "x"}, `--format "yaml": not one of table, json`, 1},
		{[]string{"create", "--preserve-fds", "-1", "x"}, "--preserve-fds -1: must not be negative", 1},
		{[]string{"create", "--preserve-fds", "x", "x"}, "invalid value", 1},
		{[]string{"create", "--bundle", dir + "/none", "x"}, "chdir " + dir + "/none: no such file", 1},
		{[]string{"checkpoint", "x"}, `container "x": container does not exist`, 1},
		{[]string{"restore", "--lsm-mount-context"}, "flag needs an argument", 1},
		{[]string{"--", "bogus"}, `unknown command "bogus"`, 1},
	} {
		_, stderr, code := tare(tt.args...)
		if code != tt.code || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
			t.Errorf("%q: %d, %q; want %d, %q", tt.args, code, stderr, tt.code, tt.stderr)
		}
		if strings.Count(stderr, "\n") > 1 {
			t.Errorf("%q: more than a line on stderr: %q", tt.args, stderr)
		}
	}
}

func TestJSONError(t *testing.T) {
	t.Parallel()
	_, stderr, _ := tare("--log-format", "json", "bogus")
	var m map[string]string
	if err := json.Unmarshal([]byte(stderr), &m); err != nil || m["level"] != "error" {
		t.Errorf("%q, %v", stderr, err)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--version", "-v", "-V", "-version"} {
		stdout, stderr, code := tare(flag)
		lines := strings.Split(stdout, "\n")
		if code != 0 || stderr != "" || !reflect.DeepEqual(lines[:3], []string{"tare version 1.2.3", "commit: abc", "spec: " + specs.Version}) {
			t.Errorf("%s: %d, %q, %q", flag, code, stdout, stderr)
		}
	}
	if stdout, _, code := tare("--root", "/x", "--version", "list"); code != 0 || !strings.HasPrefix(stdout, "tare version") {
		t.Errorf("%d, %q", code, stdout)
	}
}

func TestRootlessMode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]libcontainer.Rootless{
		"true": libcontainer.RootlessYes, "1": libcontainer.RootlessYes, "TRUE": libcontainer.RootlessYes, "t": libcontainer.RootlessYes,
		"false": libcontainer.RootlessNo, "0": libcontainer.RootlessNo, "False": libcontainer.RootlessNo,
		"auto": libcontainer.RootlessAuto, "Auto": libcontainer.RootlessAuto, "": libcontainer.RootlessAuto,
	} {
		if got, err := rootlessMode(text); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestOptionalIsNilForNoText(t *testing.T) {
	t.Parallel()
	c := parse(t, "exec", "--apparmor=", "--process-label", "", "--cwd", "/x", "id", "ls")
	if optional(c, "apparmor") != nil || optional(c, "process-label") != nil {
		t.Error("a profile or a label with no text counts as one")
	}
	if cwd := optional(c, "cwd"); cwd == nil || *cwd != "/x" {
		t.Error("no --cwd")
	}
}

// Every command that is built has a help text with what it does and how it is called, by each way to
// ask; and it is in the list of commands.
func TestHelp(t *testing.T) {
	t.Parallel()
	a, _, _ := testApp()
	list, _, code := tare()
	if code != 0 {
		t.Errorf("no arguments: %d", code)
	}
	if again, _, code := tare("--help"); code != 0 || again != list {
		t.Errorf("--help: %d, %q", code, again)
	}
	n := 0
	for _, c := range a.commands([]string{"tare", "--help"}) {
		if c.Hidden {
			if strings.Contains(list, c.Name) {
				t.Errorf("%s is listed", c.Name)
			}
			continue
		}
		n++
		if !strings.Contains(list, c.Name) || !strings.Contains(list, c.Usage) || c.Usage == "" {
			t.Errorf("%s is not listed", c.Name)
		}
		for _, args := range [][]string{{c.Name, "--help"}, {c.Name, "-h"}, {"help", c.Name}} {
			stdout, stderr, code := tare(args...)
			if code != 0 || stderr != "" || !strings.Contains(stdout, c.Usage) || !strings.Contains(stdout, "tare "+c.Name) {
				t.Errorf("%q: %d, %q, %q", args, code, stdout, stderr)
			}
			for _, f := range c.Flags {
				if !strings.Contains(stdout, "--"+f.Names()[0]) {
					t.Errorf("%q does not tell of --%s", args, f.Names()[0])
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("%d commands", n)
	}
}

// parse runs a command line with the command's action replaced, to see what the flags come to.
func parse(t *testing.T, args ...string) *cli.Command {
	t.Helper()
	a, _, stderr := testApp()
	root := a.root(append([]string{"tare"}, args...))
	var got *cli.Command
	for _, c := range root.Commands {
		c.Action = func(_ context.Context, cmd *cli.Command) error { got = cmd; return nil }
	}
	if err := root.Run(t.Context(), append([]string{"tare"}, args...)); err != nil || got == nil {
		t.Fatalf("%q: %v %s", args, err, stderr)
	}
	return got
}

func TestParsing(t *testing.T) {
	t.Parallel()
	c := parse(t, "exec", "-e", "A=1,2", "--env", "B= x ", "--env=C=", "--cgroup", "cpu,cpuacct:sub", "-t", "id", "ls", "-l", "--all", "--", "-x")
	if got := c.StringSlice("env"); !reflect.DeepEqual(got, []string{"A=1,2", "B= x ", "C="}) {
		t.Errorf("env %q", got)
	}
	if got := c.StringSlice("cgroup"); !reflect.DeepEqual(got, []string{"cpu,cpuacct:sub"}) {
		t.Errorf("cgroup %q", got)
	}
	if got := c.Args().Slice(); !reflect.DeepEqual(got, []string{"id", "ls", "-l", "--all", "--", "-x"}) {
		t.Errorf("args %q", got)
	}
	c = parse(t, "exec", "--tty=false", "id", "sh", "-c", "", " -v")
	if got := c.Args().Slice(); c.Bool("tty") || !c.IsSet("tty") || !reflect.DeepEqual(got, []string{"id", "sh", "-c", "", " -v"}) {
		t.Errorf("args %q", got)
	}
	for word, want := range map[string]bool{"--tty": true, "-t": true, "-t=1": true, "--tty=yes": true, "--tty=no": false, "-t=no": false, "-tty=0": false} {
		if c := parse(t, "exec", word, "id", "ls"); c.Bool("tty") != want || !c.IsSet("tty") || c.Args().Len() != 2 {
			t.Errorf("%s: %v, arguments %q", word, c.Bool("tty"), c.Args().Slice())
		}
	}
	c = parse(t, "create", "-no-subreaper", "-b", "/b", "-pid-file=/p", "--preserve-fds", "2", "--console-socket=/c=d", "id")
	if !c.Bool("no-subreaper") || c.String("bundle") != "/b" || c.String("pid-file") != "/p" || c.Int("preserve-fds") != 2 || c.String("console-socket") != "/c=d" || c.Args().First() != "id" {
		t.Errorf("create: %q", c.Args().Slice())
	}
	// Engines put options behind the id of some commands.
	c = parse(t, "delete", "id", "--force")
	if !c.Bool("force") || c.Args().Len() != 1 {
		t.Error("delete ID --force")
	}
	c = parse(t, "kill", "--all", "id", "9")
	if !c.Bool("all") || !reflect.DeepEqual(c.Args().Slice(), []string{"id", "9"}) {
		t.Errorf("kill %q", c.Args().Slice())
	}
	c = parse(t, "--root", "list", "--log=/dev/null", "ps", "id", "-o", "pid")
	if !reflect.DeepEqual(c.Args().Slice(), []string{"id", "-o", "pid"}) || c.Root().String("root") != "list" {
		t.Errorf("ps %q", c.Args().Slice())
	}
}

func TestFirstCommand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args    string
		want    string
		version bool
	}{
		{"tare", "", false},
		{"tare list", "list", false},
		{"tare --root list create run", "create", false},
		{"tare -root list create", "create", false},
		{"tare --root=list --debug --log-format json create", "create", false},
		{"tare --log -v create", "create", false},
		{"tare -v create", "create", true},
		{"tare --version", "", true},
		{"tare -- list", "list", false},
		{"tare --root", "", false},
		{"tare -h list", "list", false},
	} {
		got, version := firstCommand(strings.Fields(tt.args))
		if got != tt.want || version != tt.version {
			t.Errorf("%q: %q, %v", tt.args, got, version)
		}
	}
	firstCommand(nil)
}

func TestGlobals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want libcontainer.Config
	}{
		{nil, libcontainer.Config{Cgroups: libcontainer.Cgroupfs, Rootless: libcontainer.RootlessAuto}},
		{[]string{"--root", "/x/../y/", "--systemd-cgroup"}, libcontainer.Config{Root: "/y", Cgroups: libcontainer.Systemd, Rootless: libcontainer.RootlessAuto}},
		{[]string{"--cgroup-manager=disabled", "--systemd-cgroup", "--rootless=true"}, libcontainer.Config{Cgroups: libcontainer.Disabled, Rootless: libcontainer.RootlessYes}},
		{[]string{"--cgroup-manager", "systemd", "--rootless", "false"}, libcontainer.Config{Cgroups: libcontainer.Systemd, Rootless: libcontainer.RootlessNo}},
	} {
		a, _, stderr := testApp()
		if code := a.main(append(append([]string{"tare"}, tt.args...), "features")); code != 0 {
			t.Errorf("%q: %s", tt.args, stderr)
		}
		if a.cfg.Warn == nil || a.cfg.Debug != nil {
			t.Errorf("%q: Warn or Debug", tt.args)
		}
		a.cfg.Warn = nil
		if !reflect.DeepEqual(a.cfg, tt.want) {
			t.Errorf("%q: %+v", tt.args, a.cfg)
		}
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tt := range []struct{ format, want string }{
		{"json", "null\n"},
		{"table", "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"},
	} {
		if stdout, stderr, code := tare("--root", dir, "list", "-f", tt.format); code != 0 || stdout != tt.want || stderr != "" {
			t.Errorf("%s: %d, %q, %q", tt.format, code, stdout, stderr)
		}
	}
	// A record of a container that has ended, one that is broken, and a file that is none.
	for name, text := range map[string]string{
		"gone":   `{"version":1,"id":"gone","ociVersion":"1.3.0","bundle":"/b","rootfs":"/b/r","created":"2026-01-02T03:04:05.6Z","pid":1,"startTime":1,"createDone":true,"annotations":{"k":"<v>"}}`,
		"broken": `{`,
	} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o711); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "state.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(dir, "file"), nil, 0o600)
	stdout, stderr, code := tare("--root", dir, "list", "--format", "json")
	want := `[{"ociVersion":"1.3.0","id":"gone","pid":0,"status":"stopped","bundle":"/b","rootfs":"/b/r","created":"2026-01-02T03:04:05.6Z","annotations":{"k":"<v>"},"owner":"root"}]` + "\n"
	if code != 0 || stdout != want || !strings.Contains(stderr, `tare: list: container "broken": `) {
		t.Errorf("%d, %s, %s", code, stdout, stderr)
	}
	stdout, _, _ = tare("--root", dir, "list")
	if lines := strings.Split(stdout, "\n"); len(lines) != 3 || !reflect.DeepEqual(strings.Fields(lines[1]), []string{"gone", "0", "stopped", "/b", "2026-01-02T03:04:05.6Z", "root"}) {
		t.Errorf("%q", stdout)
	}
	if stdout, stderr, _ := tare("--root", dir, "list", "-q"); stdout != "gone\n" || !strings.Contains(stderr, `"broken"`) {
		t.Errorf("%q, %q", stdout, stderr)
	}
	stdout, _, code = tare("--root", dir, "state", "gone")
	if code != 0 || !strings.HasPrefix(stdout, "{\n  \"ociVersion\": \"1.3.0\",\n  \"id\": \"gone\",\n  \"pid\": 0,\n") {
		t.Errorf("%d, %s", code, stdout)
	}
}

func TestSpec(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, stderr, code := tare("spec", "--bundle", dir); code != 0 || stderr != "" {
		t.Fatal(stderr)
	}
	b, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(b, &s); err != nil || s.Process == nil || s.Process.Args[0] != "sh" {
		t.Errorf("%v, %s", err, b)
	}
	if _, stderr, code := tare("spec", "-b", dir); code != 1 || stderr != "tare: spec: File config.json exists. Remove it first\n" {
		t.Errorf("%d, %q", code, stderr)
	}
	if again, err := os.ReadFile(filepath.Join(dir, "config.json")); err != nil || !bytes.Equal(b, again) {
		t.Errorf("the file was touched: %v", err)
	}
	if _, stderr, code := tare("spec", "-b", dir, "--file", "r.json", "--rootless"); code != 0 {
		t.Fatal(stderr)
	}
	b, err = os.ReadFile(filepath.Join(dir, "r.json"))
	if err != nil || !strings.Contains(string(b), "uidMappings") {
		t.Errorf("%v, %s", err, b)
	}
	if _, stderr, code := tare("spec", "-b", dir+"/none"); code != 1 || !strings.Contains(stderr, "no such file") {
		t.Errorf("%d, %q", code, stderr)
	}
}

func TestFeatures(t *testing.T) {
	t.Parallel()
	stdout, _, code := tare("features")
	var f features.Features
	if err := json.Unmarshal([]byte(stdout), &f); err != nil || code != 0 {
		t.Fatalf("%d, %v", code, err)
	}
	if f.OCIVersionMin != "1.0.0" || f.OCIVersionMax != specs.Version || len(f.Hooks) != 6 {
		t.Errorf("%q, %q, %q", f.OCIVersionMin, f.OCIVersionMax, f.Hooks)
	}
	if !slices.IsSorted(f.MountOptions) || !slices.Contains(f.MountOptions, "rro") || !slices.Contains(f.MountOptions, "ro") {
		t.Errorf("mountOptions %q", f.MountOptions)
	}
	l := f.Linux
	if len(l.Namespaces) != 8 || len(l.Capabilities) != 41 || !slices.Contains(l.Namespaces, "user") || !*l.MountExtensions.IDMap.Enabled {
		t.Errorf("%+v", l)
	}
	if len(l.Seccomp.Actions) == 0 || len(l.Seccomp.Operators) != 7 || len(l.Seccomp.Archs) == 0 || len(l.Seccomp.KnownFlags) == 0 {
		t.Errorf("%+v", l.Seccomp)
	}
	if len(l.MemoryPolicy.Modes) != 7 || len(l.MemoryPolicy.Flags) != 3 || !slices.Contains(f.PotentiallyUnsafeConfigAnnotations, "run.oci.") {
		t.Errorf("%+v, %q", l.MemoryPolicy, f.PotentiallyUnsafeConfigAnnotations)
	}
	// Nothing in the document is left empty.
	var check func(path string, v any)
	check = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				check(path+"."+k, x)
			}
		case nil:
			t.Errorf("%s is null", path)
		}
	}
	var all map[string]any
	json.Unmarshal([]byte(stdout), &all)
	check("", all)
}

func TestListenFDs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fds, pid string
		want     int
		bad      bool
	}{
		{"", "", 0, false}, {"2", "7", 2, false}, {"2", "8", 0, false}, {"2", "", 0, false},
		{"-1", "7", 0, true}, {"x", "7", 0, true}, {"99999999", "7", 0, true},
	} {
		got, err := listenFDs(tt.fds, tt.pid, 7)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%+v: %d, %v", tt, got, err)
		}
	}
}

func TestIDOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"/a/demo-1": "demo-1", "/a b": "a_b", "/": "_", "/..": "container", "/é": "_"} {
		if got := idOf(in); got != want {
			t.Errorf("%q: %q; want %q", in, got, want)
		}
	}
}

func TestPlanErrors(t *testing.T) {
	t.Parallel()
	_, stderr, code := tare("plan", t.TempDir())
	if code != 1 || !strings.Contains(stderr, "JSON specification file config.json not found") {
		t.Errorf("%d, %q", code, stderr)
	}
}
