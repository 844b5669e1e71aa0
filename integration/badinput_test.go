package integration

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// badConfigs are configs that must be refused, by what is wrong with them.
func badConfigs() map[string]func(*bundle) {
	raw := func(text string) func(*bundle) { return func(b *bundle) { b.writeRaw(text) } }
	tree := func(edit func(map[string]any)) func(*bundle) { return func(b *bundle) { b.editRaw(edit) } }
	edit := func(e func(*specs.Spec)) func(*bundle) { return func(b *bundle) { b.edit(e); b.write() } }
	return map[string]func(*bundle){
		"no config.json":        func(*bundle) {},
		"empty file":            raw(""),
		"not JSON":              raw("hello"),
		"cut JSON":              raw(`{"ociVersion":"1.0.2","process":{`),
		"an array":              raw("[]"),
		"a string":              raw(`"x"`),
		"null":                  raw("null"),
		"an empty object":       raw("{}"),
		"deeply nested":         raw(strings.Repeat("[", 100000)),
		"NUL bytes":             raw("\x00\x00\x00"),
		"wrong type of args":    tree(func(m map[string]any) { m["process"].(map[string]any)["args"] = "sh" }),
		"wrong type of uid":     tree(func(m map[string]any) { m["process"].(map[string]any)["user"] = map[string]any{"uid": "root"} }),
		"negative uid":          tree(func(m map[string]any) { m["process"].(map[string]any)["user"] = map[string]any{"uid": -1} }),
		"uid too large":         tree(func(m map[string]any) { m["process"].(map[string]any)["user"] = map[string]any{"uid": 4294967296} }),
		"unsupported version":   edit(func(s *specs.Spec) { s.Version = "2.0.0" }),
		"version that is none":  edit(func(s *specs.Spec) { s.Version = "new" }),
		"missing version":       edit(func(s *specs.Spec) { s.Version = "" }),
		"relative hook path":    edit(func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "x"}}} }),
		"NUL in an argument":    edit(args("/bin/echo", "a\x00b")),
		"NUL in the cwd":        edit(func(s *specs.Spec) { s.Process.Cwd = "/a\x00b" }),
		"NUL in the hostname":   edit(func(s *specs.Spec) { s.Hostname = "a\x00b" }),
		"NUL in a mount":        edit(addMount(mnt("/mnt\x00x", "tmpfs", "t"))),
		"NUL in the root path":  edit(func(s *specs.Spec) { s.Root.Path = "rootfs\x00x" }),
		"hostname too long":     edit(func(s *specs.Spec) { s.Hostname = strings.Repeat("h", 65) }),
		"root path empty":       edit(func(s *specs.Spec) { s.Root.Path = "" }),
		"no mount namespace":    edit(dropNS("mount")),
		"empty network device":  edit(func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"none0": {Name: "a/b"}} }),
		"absent network device": edit(func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"none0": {}} }),
		"intelRdt not mounted":  edit(func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "x", L3CacheSchema: "L3:0=f"} }),
	}
}

// peerTakes are the configs that runc 1.1 takes, or refuses in a way of its own.
var peerTakes = []string{"null", "unsupported version", "version that is none", "missing version", "relative hook path", "NUL in the cwd",
	"NUL in the hostname", "NUL in a mount", "root path empty", "NUL in the root path", "no mount namespace", "empty network device", "absent network device",
	"intelRdt not mounted", "hostname too long", "NUL in an argument"}

func skipPeerTakes(t *testing.T, name string) {
	t.Helper()
	for _, p := range peerTakes {
		if p == name {
			not(t, "runc", "1.1 differs")
		}
	}
}

func TestBadConfigIsRefusedWithOneLineAndLeavesNothing(t *testing.T) {
	for name, make := range badConfigs() {
		t.Run(name, func(t *testing.T) {
			skipPeerTakes(t, name)
			b := newBundle(t)
			make(b)
			r := b.tare(b.line("create", nil)...).fails(t)
			if strings.Count(r.err, "\n") != 1 || strings.Contains(r.err, "goroutine") || strings.Contains(r.err, "panic") {
				t.Errorf("not one clear line: %v", r)
			}
			if r.out != "" {
				t.Errorf("stdout: %q", r.out)
			}
			b.wantGone()
		})
	}
}

func TestErrorIsTheSameInBothLogFormats(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			b := newBundle(t, args())
			log := filepath.Join(b.dir, "log")
			b.global = []string{"--log", log, "--log-format", format}
			b.run().fails(t, "args must not be empty")
			lines := strings.Split(strings.TrimSpace(readFile(t, log)), "\n")
			if len(lines) != 1 {
				t.Fatalf("%d lines: %q", len(lines), lines)
			}
			if format == "text" {
				if !strings.Contains(lines[0], "level=error") || !strings.Contains(lines[0], "msg=") || !strings.Contains(lines[0], "time=") {
					t.Errorf("%s", lines[0])
				}
				return
			}
			var entry map[string]string
			check(t, json.Unmarshal([]byte(lines[0]), &entry))
			if _, err := time.Parse(time.RFC3339, entry["time"]); err != nil || entry["level"] != "error" || !strings.Contains(entry["msg"], "args must not be empty") {
				t.Errorf("%v %v", entry, err)
			}
		})
	}
}

func TestJSONLogEscapesOddText(t *testing.T) {
	b := newBundle(t, args("/none/\"quoted\"\nline"))
	log := filepath.Join(b.dir, "log")
	b.global = []string{"--log", log, "--log-format", "json"}
	b.run().fails(t, "no such file or directory")
	for line := range strings.Lines(readFile(t, log)) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%q", line)
		}
	}
}

func TestMissingConfigSaysWhichFile(t *testing.T) {
	b := newBundle(t)
	b.tare(b.line("create", nil)...).fails(t, "JSON specification file config.json not found")
}

func TestFindingNamesTheConfigPath(t *testing.T) {
	onlyTare(t, "errors name the config path")
	for path, edit := range map[string]func(*specs.Spec){
		"process.rlimits[0]":                rlimit("RLIMIT_TEA", 1, 1),
		"process.cwd":                       func(s *specs.Spec) { s.Process.Cwd = "x" },
		"linux.namespaces[":                 addNS("colour"),
		"linux.devices[0]":                  device("/dev/x", "q", 1, 1),
		"linux.sysctl":                      sysctl("vm.swappiness", "1"),
		"linux.seccomp":                     seccomp(&specs.LinuxSeccomp{DefaultAction: "SCMP_ACT_TEA"}),
		"linux.resources.memory.swappiness": resources(memory(specs.LinuxMemory{Swappiness: ptr(uint64(101))})),
		"hooks.createRuntime[0]":            func(s *specs.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "x"}}} },
		"mounts[6]":                         addMount(mnt("/mnt", "nosuchfs", "t")),
		"linux.rootfsPropagation":           func(s *specs.Spec) { s.Linux.RootfsPropagation = "sideways" },
	} {
		t.Run(path, func(t *testing.T) {
			b := newBundle(t, edit)
			b.run().fails(t, path)
			b.wantGone()
		})
	}
}

func TestArgumentTooLongForTheKernelFails(t *testing.T) {
	not(t, "runc", "1.1 says so on the container's stderr only")
	b := newBundle(t, args("/bin/true", strings.Repeat("x", 200000)))
	b.run().fails(t, "argument list too long")
	b.wantGone()
}

func TestUnknownPropertiesAreIgnored(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.editRaw(func(m map[string]any) {
		m["futureProperty"] = map[string]any{"x": []any{1, 2}}
		m["windows"] = map[string]any{"layerFolders": []any{"x"}}
		m["vm"] = map[string]any{"kernel": map[string]any{"path": "/k"}}
		m["process"].(map[string]any)["future"] = true
		m["linux"].(map[string]any)["future"] = "x"
	})
	b.tare(b.line("run", nil)...).ok(t)
}

func TestAnyVersion1IsAccepted(t *testing.T) {
	for _, v := range []string{"1.0.0", "1.0.2-dev", "1.99.0"} {
		t.Run(v, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"), func(s *specs.Spec) { s.Version = v })
			b.run().ok(t)
		})
	}
}

func TestUnknownAnnotationsAreCarriedAndIgnored(t *testing.T) {
	b := newBundle(t, prog("hold"), func(s *specs.Spec) { s.Annotations = map[string]string{"com.example.key": "value", "empty": ""} })
	b.detach()
	if got := b.state().Annotations; got["com.example.key"] != "value" {
		t.Errorf("%v", got)
	}
}

func TestBadOptionValuesAreRefused(t *testing.T) {
	for name, line := range map[string][]string{
		"preserve-fds": {"create", "--preserve-fds", "x"}, "negative preserve-fds": {"create", "--preserve-fds", "-1"},
		"list format": {"list", "--format", "xml"}, "ps format": {"ps", "--format"}, "interval": {"events", "--interval", "soon"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "negative preserve-fds" {
				not(t, "runc", "1.1 takes it")
			}
			b := newBundle(t)
			b.write()
			if line[0] == "create" {
				line = append(line, "--bundle", b.path)
			}
			if line[0] != "list" {
				line = append(line, b.id)
			}
			if r := b.tare(line...); r.code == 0 || strings.Contains(r.err, "panic") {
				t.Errorf("%v", r)
			}
			b.wantNoCgroups()
		})
	}
}
