package plan

import (
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/spec"
	"tare/internal/step"
)

// process plans what makes the init the container's process: the same steps in the same order for a
// create and for an exec. With create it waits for the start command before the last of them.
//
// The order is the kernel's: what needs privilege comes first; the bounding set falls before the
// user changes; the program is looked up as the user who will run it; the filter comes last, since from
// then on each call of ours must pass it.
func (b *builder) process(p *specs.Process, create bool) error {
	b.labels(p)
	if err := b.perThread(p, create); err != nil {
		return err
	}
	if p.NoNewPrivileges {
		b.init(&step.NoNewPrivs{Place: step.At("process.noNewPrivileges")})
	}
	caps := b.capabilities(p)
	b.init(&step.BoundingCaps{Keep: caps.bounding, Place: step.At("process.capabilities.bounding")})
	cwd := p.Cwd
	b.init(&step.Chdir{Dir: cwd, Create: create, Retry: true, Place: step.At("process.cwd")})
	if b.limitsFirst(p) {
		b.meet(BarrierLimits, rlimitSteps(p)...)
	}
	if err := b.identity(p); err != nil {
		return err
	}
	b.init(&step.Chdir{Dir: cwd, Place: step.At("process.cwd")})

	final := caps.step()
	early := *final
	if b.lateFilter(p) {
		// The filter may be installed by a process with CAP_SYS_ADMIN or no_new_privs: without the
		// latter this capability stays until then.
		early.Permitted |= sysAdmin
		early.Ambient = 0
	}
	b.init(&early)
	env := environment(p.Env, append(b.listenEnv(), b.bootEnv(p.Env)...)...)
	b.init(&step.FindExec{Name: p.Args[0], Path: lookup(env, "PATH"), Place: step.At("process.args[0]")})
	b.lastBarrier(p, create)
	if a := p.ExecCPUAffinity; a != nil && !create {
		if err := b.affinity("final", a.Final); err != nil {
			return err
		}
	}
	if create {
		b.init(&step.WaitStart{Listener: b.fd(FDSource{Kind: FDListener})})
		if h := b.s.Hooks; h != nil {
			b.init(b.initHooks("startContainer", h.StartContainer, cwd, specs.StateCreated)...)
		}
	}
	b.placeFDs()
	if f := b.o.Filter; f != nil {
		b.init(&step.Seccomp{Filter: f.Program, Flags: f.Flags, Notify: f.Notify, Place: step.At("linux.seccomp")})
		if b.lateFilter(p) {
			b.init(final)
		}
	}
	b.init(&step.Exec{Args: p.Args, Env: env, Home: lookup(env, "HOME") == "", Place: step.At("process.args[0]")})
	return nil
}

func (b *builder) lateFilter(p *specs.Process) bool { return b.o.Filter != nil && !p.NoNewPrivileges }

func (b *builder) labels(p *specs.Process) {
	if p.ApparmorProfile != "" {
		b.init(&step.ExecLabel{LSM: "apparmor", Label: p.ApparmorProfile, Place: step.At("process.apparmorProfile")})
	}
	if p.SelinuxLabel != "" {
		b.init(&step.ExecLabel{LSM: "selinux", Label: p.SelinuxLabel, Place: step.At("process.selinuxLabel")})
	}
}

// perThread are the settings of scheduling and memory.
func (b *builder) perThread(p *specs.Process, create bool) error {
	if create || p.ExecCPUAffinity == nil {
		b.init(&step.Affinity{}) // the runtime's own must not leak in
	}
	if s := p.Scheduler; s != nil {
		if err := b.scheduler(s); err != nil {
			return err
		}
	}
	if io := p.IOPriority; io != nil {
		class, ok := spec.IOPriorityClass(io.Class)
		if !ok || io.Priority < 0 || io.Priority > 7 {
			return fmt.Errorf("process.ioPriority: %s %d is no io priority", io.Class, io.Priority)
		}
		b.init(&step.IOPriority{Value: uint32(class<<13 | io.Priority), Place: step.At("process.ioPriority")})
	}
	if mp := b.linux.MemoryPolicy; mp != nil && create {
		if err := b.memoryPolicy(mp); err != nil {
			return err
		}
	}
	if per := b.linux.Personality; per != nil {
		domain, ok := spec.PersonalityDomain(per.Domain)
		if !ok {
			return fmt.Errorf("linux.personality.domain: unknown value %q", per.Domain)
		}
		b.init(&step.Personality{Persona: domain, Place: step.At("linux.personality")})
	}
	return nil
}

func (b *builder) scheduler(s *specs.Scheduler) error {
	policy, ok := spec.SchedulerPolicy(s.Policy)
	if !ok {
		return fmt.Errorf("process.scheduler.policy: unknown value %q", s.Policy)
	}
	st := &step.Scheduler{Policy: policy, Nice: int64(s.Nice), Priority: uint32(s.Priority),
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period, Place: step.At("process.scheduler")}
	for i, f := range s.Flags {
		bit, ok := spec.SchedulerFlag(f)
		if !ok {
			return fmt.Errorf("process.scheduler.flags[%d]: unknown value %q", i, f)
		}
		st.Flags |= bit
	}
	b.init(st)
	return nil
}

func (b *builder) memoryPolicy(mp *specs.LinuxMemoryPolicy) error {
	mode, ok := spec.MemoryPolicyMode(mp.Mode)
	if !ok {
		return fmt.Errorf("linux.memoryPolicy.mode: unknown value %q", mp.Mode)
	}
	for i, f := range mp.Flags {
		bit, ok := spec.MemoryPolicyFlag(f)
		if !ok {
			return fmt.Errorf("linux.memoryPolicy.flags[%d]: unknown value %q", i, f)
		}
		mode |= bit
	}
	list, err := spec.ParseList(mp.Nodes)
	if err != nil {
		return fmt.Errorf("linux.memoryPolicy.nodes: %w", err)
	}
	mask := maskBytes(list)
	b.init(&step.MemoryPolicy{Mode: mode, Nodes: mask, MaxNode: uint64(len(mask)*8 + 1), Place: step.At("linux.memoryPolicy")})
	return nil
}

// maskBytes is a bit mask of whole 64-bit words, little end first; nil for an empty list.
func maskBytes(list []spec.Range) []byte {
	var b []byte
	for _, word := range spec.Mask(list) {
		for i := range 8 {
			b = append(b, byte(word>>(8*i)))
		}
	}
	return b
}

// identity plans the User step. Groups cannot be changed where setgroups(2) is denied.
func (b *builder) identity(p *specs.Process) error {
	u := &step.User{UID: p.User.UID, GID: p.User.GID, Groups: p.User.AdditionalGids, SetGroups: true,
		Umask: 0o022, ChownStdio: !p.Terminal, GroupsDenied: b.user.joined && len(p.User.AdditionalGids) == 0,
		Place: step.At("process.user")}
	if p.User.Umask != nil {
		u.Umask = *p.User.Umask
	}
	if b.user.any() && len(b.user.uid) > 0 {
		if _, ok := spec.HostID(b.user.uid, u.UID); !ok {
			return fmt.Errorf("process.user.uid: cannot setuid to unmapped uid %d in user namespace", u.UID)
		}
		if _, ok := spec.HostID(b.user.gid, u.GID); !ok {
			return fmt.Errorf("process.user.gid: cannot setgid to unmapped gid %d in user namespace", u.GID)
		}
		for i, g := range u.Groups {
			if _, ok := spec.HostID(b.user.gid, g); !ok {
				return fmt.Errorf("process.user.additionalGids[%d]: unmapped gid %d in user namespace", i, g)
			}
		}
	}
	value, keep := b.s.Annotations[spec.AnnotationKeepOriginalGroups]
	keep = keep && value != "0"
	if b.user.denyGroups || !b.user.any() && b.f.GroupsDenied || keep {
		if len(u.Groups) > 0 && !keep {
			const denied = "process.user.additionalGids: groups cannot be set in this user namespace, whose setgroups is denied"
			if b.f.EUID != 0 {
				return errors.New(denied)
			}
			b.warn(denied) // root of one id: engines name the image's groups all the same
		}
		u.SetGroups, u.Groups = false, nil
	}
	b.init(u)
	return nil
}

// limitsFirst tells whether the limits must be set while the init has the caller's ids: prlimit(2) asks for the
// same ones of a caller without CAP_SYS_RESOURCE.
func (b *builder) limitsFirst(p *specs.Process) bool {
	own := p.User.UID == b.f.EUID && p.User.GID == b.f.EGID
	return len(p.Rlimits) > 0 && !b.f.Resource && !b.user.any() && !own
}

// lastBarrier: limits come here, as they may be too small for the init itself, and what charges the init
// for its memory.
func (b *builder) lastBarrier(p *specs.Process, create bool) {
	var steps []step.Step
	if !b.joined {
		steps = append(steps, &step.CgroupJoin{Phase: step.JoinLate, Sub: b.o.CgroupSub})
		b.joined = true
	}
	if create {
		steps = append(steps, b.ownCgroup()...)
	}
	if adj := b.oomScore(p, create); adj != nil {
		steps = append(steps, &step.OOMScore{Value: int64(*adj), Place: step.At("process.oomScoreAdj")})
	}
	if !b.limitsFirst(p) {
		steps = append(steps, rlimitSteps(p)...)
	}
	b.meet(BarrierCreated, steps...)
}

// oomScore of an exec is the container's, whatever the process asks for.
func (b *builder) oomScore(p *specs.Process, create bool) *int {
	if !create && b.s.Process != nil {
		return b.s.Process.OOMScoreAdj
	}
	return p.OOMScoreAdj
}

func rlimitSteps(p *specs.Process) []step.Step {
	steps := make([]step.Step, len(p.Rlimits))
	for i, r := range p.Rlimits {
		n, _ := spec.RlimitResource(r.Type)
		steps[i] = &step.Rlimit{Name: r.Type, Resource: uint32(n), Soft: r.Soft, Hard: r.Hard,
			Place: step.At(fmt.Sprintf("process.rlimits[%d]", i))}
	}
	return steps
}

// placeFDs puts what the caller passes on behind the standard descriptors.
func (b *builder) placeFDs() {
	s := &step.PlaceFDs{}
	for i := range b.o.Extra {
		s.FDs = append(s.FDs, b.fd(FDSource{Kind: FDFile, Index: i}))
	}
	b.init(s)
}

func (b *builder) listenEnv() []string {
	var env []string
	if b.o.Listen > 0 {
		env = append(env, fmt.Sprintf("LISTEN_FDS=%d", b.o.Listen), "LISTEN_PID=1")
	}
	if b.o.NotifyDir != "" {
		env = append(env, "NOTIFY_SOCKET=/run/notify/notify.sock")
	}
	return env
}

// environment joins two lists; the last of several entries for a name stays, in the place of the first.
func environment(env []string, more ...string) []string {
	out := make([]string, 0, len(env)+len(more))
	at := make(map[string]int, len(env)+len(more))
	for _, list := range [...][]string{env, more} {
		for _, kv := range list {
			name, _, _ := strings.Cut(kv, "=")
			if i, seen := at[name]; seen {
				out[i] = kv
				continue
			}
			at[name] = len(out)
			out = append(out, kv)
		}
	}
	return out
}

func lookup(env []string, name string) string {
	for _, kv := range env {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v
		}
	}
	return ""
}
