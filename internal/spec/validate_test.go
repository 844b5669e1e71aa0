package spec

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// rule is one configuration, the sample with a change, and what there is to
// find in it: "PATH" for an error, "~PATH" for a warning.
type rule struct {
	name   string
	opts   Options
	change func(*specs.Spec)
	want   []string
}

func run(t *testing.T, rules []rule) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			s := Sample(SampleOptions{CgroupV2: true})
			r.change(s)
			found := Validate(s, r.opts)
			var got []string
			for _, f := range found {
				mark := ""
				if f.Severity == SeverityWarning {
					mark = "~"
				}
				got = append(got, mark+f.Path)
				if f.Reason == "" || strings.ContainsAny(f.String(), "\n\x00") {
					t.Errorf("finding without reason or not on one line: %+v", f)
				}
			}
			if !slices.Equal(got, r.want) {
				t.Errorf("found %v, want paths %q", found, r.want)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

func drop(s *specs.Spec, t specs.LinuxNamespaceType) {
	s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == t })
}

func add(s *specs.Spec, t specs.LinuxNamespaceType, path string) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: t, Path: path})
}

// userns gives the sample a user namespace with the ids 0-9.
func userns(s *specs.Spec) {
	add(s, specs.UserNamespace, "")
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 1000, Size: 10}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: 1000, Size: 10}}
}

func TestValidateTop(t *testing.T) {
	run(t, []rule{
		{name: "sample", change: func(*specs.Spec) {}},
		{name: "empty", change: func(s *specs.Spec) { *s = specs.Spec{} }, want: []string{"ociVersion", "process", "root"}},
		{name: "version 1.0.2-dev", change: func(s *specs.Spec) { s.Version = "1.0.2-dev" }},
		{name: "version 1.9.0+x", change: func(s *specs.Spec) { s.Version = "1.9.0+x" }},
		{name: "version 1.0", change: func(s *specs.Spec) { s.Version = "1.0" }, want: []string{"~ociVersion"}},
		{name: "version 0.1.0", change: func(s *specs.Spec) { s.Version = "0.1.0" }, want: []string{"ociVersion"}},
		{name: "version 2", change: func(s *specs.Spec) { s.Version = "2.0.0" }, want: []string{"ociVersion"}},
		{name: "version 1.", change: func(s *specs.Spec) { s.Version = "1." }, want: []string{"ociVersion"}},
		{name: "version 1.x.0", change: func(s *specs.Spec) { s.Version = "1.x.0" }, want: []string{"ociVersion"}},
		{name: "version 10", change: func(s *specs.Spec) { s.Version = "10.0.0" }, want: []string{"ociVersion"}},
		{name: "root empty", change: func(s *specs.Spec) { s.Root.Path = "" }, want: []string{"root.path"}},
		{name: "root NUL", change: func(s *specs.Spec) { s.Root.Path = "a\x00b" }, want: []string{"root.path"}},
		{name: "hostname long", change: func(s *specs.Spec) { s.Hostname = strings.Repeat("x", 65) }, want: []string{"hostname"}},
		{name: "hostname 64", change: func(s *specs.Spec) { s.Hostname = strings.Repeat("x", 64) }},
		{name: "no uts", change: func(s *specs.Spec) { drop(s, specs.UTSNamespace); s.Domainname = "d" }, want: []string{"hostname", "domainname"}},
		{name: "domainname NUL", change: func(s *specs.Spec) { s.Domainname = "\x00" }, want: []string{"domainname"}},
		{name: "no linux", change: func(s *specs.Spec) { s.Linux = nil }, want: []string{"hostname", "~mounts"}},
		{name: "hooks", change: func(s *specs.Spec) {
			s.Hooks = &specs.Hooks{
				Prestart:       []specs.Hook{{Path: "/ok", Timeout: ptr(1), Env: []string{"A=b", "C="}}},
				CreateRuntime:  []specs.Hook{{Path: "rel"}},
				StartContainer: []specs.Hook{{Path: "/a", Timeout: ptr(0)}, {Path: "/a", Timeout: ptr(-1)}},
				Poststart:      []specs.Hook{{}, {Path: "/a", Args: []string{"", "a\x00"}}},
				Poststop:       []specs.Hook{{Path: "/a", Env: []string{"A", "=b", "A=\x00"}}},
			}
		}, want: []string{
			"hooks.createRuntime[0].path", "hooks.startContainer[0].timeout", "hooks.startContainer[1].timeout",
			"hooks.poststart[0].path", "hooks.poststart[1].args[1]",
			"hooks.poststop[0].env[0]", "hooks.poststop[0].env[1]", "hooks.poststop[0].env[2]",
		}},
		{name: "annotations", change: func(s *specs.Spec) {
			s.Annotations = map[string]string{
				"": "x", "any": "thing\x00", "run.oci.handler": "wasm", "krun.x": "1", "module.wasm.image/variant": "compat",
				"run.oci.delegate-cgroup": "a/../../b", "run.oci.systemd.subgroup": "", "run.oci.mount_context_type": "other",
				"run.oci.hooks.stderr": "/a\x00", "tare.boot": "yes", "tare.root.ephemeral": "1", "run.oci.seccomp.plugins": "/a.so",
			}
		}, want: []string{
			"annotations", `annotations["krun.x"]`, `annotations["module.wasm.image/variant"]`,
			`annotations["run.oci.delegate-cgroup"]`, `annotations["run.oci.handler"]`,
			`annotations["run.oci.hooks.stderr"]`, `annotations["run.oci.mount_context_type"]`, `annotations["run.oci.seccomp.plugins"]`, `annotations["tare.boot"]`, `annotations["tare.root.ephemeral"]`,
		}},
	})
}

func TestValidateProcess(t *testing.T) {
	p := func(f func(*specs.Process)) func(*specs.Spec) { return func(s *specs.Spec) { f(s.Process) } }
	sched := func(s specs.Scheduler) func(*specs.Spec) { return func(c *specs.Spec) { c.Process.Scheduler = &s } }
	run(t, []rule{
		{name: "no args", change: p(func(p *specs.Process) { p.Args = nil }), want: []string{"process.args"}},
		{name: "args NUL", change: p(func(p *specs.Process) { p.Args = []string{"a", "b\x00"} }), want: []string{"process.args[1]"}},
		{name: "cwd relative", change: p(func(p *specs.Process) { p.Cwd = "x" }), want: []string{"process.cwd"}},
		{name: "cwd empty", change: p(func(p *specs.Process) { p.Cwd = "" }), want: []string{"process.cwd"}},
		{name: "cwd NUL", change: p(func(p *specs.Process) { p.Cwd = "/\x00" }), want: []string{"process.cwd"}},
		{name: "env", change: p(func(p *specs.Process) { p.Env = []string{"A=", "A=b=c", "A", "", "=x", "A=\x00"} }),
			want: []string{"process.env[2]", "process.env[3]", "process.env[4]", "process.env[5]"}},
		{name: "console", change: p(func(p *specs.Process) { p.ConsoleSize = &specs.Box{Height: 65536, Width: 65536} }),
			want: []string{"process.consoleSize.height", "process.consoleSize.width"}},
		{name: "console ignored", change: p(func(p *specs.Process) { p.Terminal = false; p.ConsoleSize = &specs.Box{Height: 65536} })},
		{name: "console 65535", change: p(func(p *specs.Process) { p.ConsoleSize = &specs.Box{Height: 65535, Width: 1} })},
		{name: "user", change: p(func(p *specs.Process) {
			p.User = specs.User{UID: 1<<32 - 1, GID: 1<<32 - 1, Umask: ptr(uint32(0o1000)), AdditionalGids: []uint32{1, 1<<32 - 1}}
		}), want: []string{"process.user.uid", "process.user.gid", "process.user.umask", "process.user.additionalGids[1]"}},
		{name: "user ok", change: p(func(p *specs.Process) {
			p.User = specs.User{UID: 1<<32 - 2, GID: 7, Umask: ptr(uint32(0o777)), AdditionalGids: []uint32{1}}
		})},
		{name: "too many groups", change: p(func(p *specs.Process) { p.User.AdditionalGids = make([]uint32, 65537) }), want: []string{"process.user.additionalGids"}},
		{name: "groups rootless", opts: Options{Rootless: true}, change: p(func(p *specs.Process) { p.User.AdditionalGids = []uint32{1} }),
			want: []string{"process.user.additionalGids"}},
		{name: "unmapped", change: func(s *specs.Spec) {
			userns(s)
			s.Process.User = specs.User{UID: 10, GID: 11, AdditionalGids: []uint32{9, 12}}
		}, want: []string{"process.user.uid", "process.user.gid", "process.user.additionalGids[1]"}},
		{name: "joined user namespace", change: func(s *specs.Spec) { add(s, specs.UserNamespace, "/p"); s.Process.User.UID = 10 }},
		{name: "capabilities", change: p(func(p *specs.Process) {
			p.Capabilities = &specs.LinuxCapabilities{
				Bounding: []string{"CAP_NOPE", "CAP_CHOWN"}, Effective: []string{"CAP_KILL", "CAP_CHOWN"}, Permitted: []string{"CAP_KILL", "cap_chown"},
				Inheritable: []string{"CAP_FOWNER", "CAP_NONE"}, Ambient: []string{"CAP_KILL"},
			}
		}), want: []string{
			"~process.capabilities.bounding", "~process.capabilities.effective",
			"~process.capabilities.inheritable", "~process.capabilities.permitted", "~process.capabilities.ambient",
		}},
		{name: "rlimits", change: p(func(p *specs.Process) {
			p.Rlimits = []specs.POSIXRlimit{
				{Type: "RLIMIT_CORE", Soft: 1, Hard: 1},
				{Type: "RLIMIT_WHAT"},
				{Type: "RLIMIT_CORE"},
				{Type: "RLIMIT_NOFILE", Soft: 2, Hard: 1},
				{Type: "RLIMIT_AS", Soft: 1<<64 - 1, Hard: 1<<64 - 1},
			}
		}), want: []string{"process.rlimits[1].type", "process.rlimits[2].type", "process.rlimits[3].soft"}},
		{name: "labels", change: p(func(p *specs.Process) { p.ApparmorProfile = "a\nb"; p.SelinuxLabel = "\x00" }),
			want: []string{"process.apparmorProfile", "process.selinuxLabel"}},
		{name: "oom low", change: p(func(p *specs.Process) { p.OOMScoreAdj = ptr(-1001) }), want: []string{"process.oomScoreAdj"}},
		{name: "oom high", change: p(func(p *specs.Process) { p.OOMScoreAdj = ptr(1001) }), want: []string{"process.oomScoreAdj"}},
		{name: "oom ok", change: p(func(p *specs.Process) { p.OOMScoreAdj = ptr(-1000) })},
		{name: "io priority", change: p(func(p *specs.Process) { p.IOPriority = &specs.LinuxIOPriority{Class: "x", Priority: 8} }),
			want: []string{"process.ioPriority.class", "process.ioPriority.priority"}},
		{name: "io priority ok", change: p(func(p *specs.Process) {
			p.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 7}
		})},
		{name: "affinity", change: p(func(p *specs.Process) { p.ExecCPUAffinity = &specs.CPUAffinity{Initial: "3-1", Final: "0-x"} }),
			want: []string{"process.execCPUAffinity.initial", "process.execCPUAffinity.final"}},
		{name: "affinity ok", change: p(func(p *specs.Process) { p.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0-3,7", Final: "2000"} })},
		{name: "no policy", change: sched(specs.Scheduler{}), want: []string{"process.scheduler.policy"}},
		{name: "other", change: sched(specs.Scheduler{Policy: specs.SchedOther, Nice: -20, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork}})},
		{name: "nice", change: sched(specs.Scheduler{Policy: specs.SchedBatch, Nice: 20}), want: []string{"process.scheduler.nice"}},
		{name: "nice of fifo", change: sched(specs.Scheduler{Policy: specs.SchedFIFO, Priority: 1, Nice: 1}), want: []string{"process.scheduler.nice"}},
		{name: "fifo without priority", change: sched(specs.Scheduler{Policy: specs.SchedFIFO}), want: []string{"process.scheduler.priority"}},
		{name: "priority of other", change: sched(specs.Scheduler{Policy: specs.SchedOther, Priority: 1}), want: []string{"process.scheduler.priority"}},
		{name: "deadline of rr", change: sched(specs.Scheduler{Policy: specs.SchedRR, Priority: 99, Runtime: 1, Deadline: 1, Period: 1, Flags: []specs.LinuxSchedulerFlag{"x"}}),
			want: []string{"process.scheduler.flags[0]", "process.scheduler.runtime", "process.scheduler.deadline", "process.scheduler.period"}},
		{name: "deadline", change: sched(specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 1024, Deadline: 2000, Period: 2000})},
		{name: "deadline bad", change: sched(specs.Scheduler{Policy: specs.SchedDeadline, Runtime: 1023, Deadline: 1000, Period: 999}),
			want: []string{"process.scheduler.runtime", "process.scheduler.deadline", "process.scheduler.period"}},
	})
}

func TestValidateExec(t *testing.T) {
	s := Sample(SampleOptions{})
	userns(s)
	p := &specs.Process{Cwd: "rel", User: specs.User{UID: 70}}
	err := ValidateProcess(p, s, Options{}).Err()
	want := "process.args: args must not be empty; " +
		"process.cwd \"rel\": Cwd must be an absolute path; " +
		"process.user.uid: cannot setuid to unmapped uid 70 in user namespace"
	if err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if ValidateProcess(nil, nil, Options{}).Err() == nil || Validate(nil, Options{}).Err() == nil {
		t.Error("nothing passed as valid")
	}
	if found := ValidateResources(nil, Options{}); found != nil {
		t.Errorf("no resources: %v", found)
	}
	if found := ValidateMounts([]specs.Mount{{Destination: "/a", Type: "tmpfs"}}, nil, Options{}); len(found) != 1 || found.Err() != nil {
		t.Errorf("mounts without a container: %v", found)
	}
}

func TestWarningsAreNoError(t *testing.T) {
	s := Sample(SampleOptions{})
	s.Process.Capabilities.Bounding = []string{"CAP_X", "CAP_KILL", "CAP_Y"}
	found := Validate(s, Options{})
	if err := found.Err(); err != nil {
		t.Error(err)
	}
	want := []string{`process.capabilities.bounding "CAP_X CAP_Y": unknown, ignored`}
	if got := found.Warnings(); !slices.Equal(got, want) {
		t.Errorf("warnings %q", got)
	}
}

func TestLongValue(t *testing.T) {
	f := Finding{Path: "p", Value: strings.Repeat("\n", 1<<16), Reason: "r"}
	if text := f.String(); len(text) > 500 || !strings.HasSuffix(text, `...": r`) {
		t.Errorf("finding of %d bytes", len(text))
	}
}
