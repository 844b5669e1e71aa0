package plan

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/spec"
	"tare/internal/step"
)

// ExecFacts are the facts that an exec depends on beside Facts.
type ExecFacts struct {
	Facts
	// Namespaces are those in which the container's init differs from the caller, as CLONE_NEW* bits,
	// and the files under /proc that lead to them.
	Namespaces []NamespacePath
	// UIDMap and GIDMap of the user namespace among them; DenyGroups when its setgroups is denied.
	UIDMap, GIDMap []specs.LinuxIDMapping
	DenyGroups     bool
}

// BuildExec plans a process in a running container: s is the frozen config, p the process.
func BuildExec(s *specs.Spec, p *specs.Process, f *ExecFacts, o *Options) (*Plan, error) {
	b := &builder{s: s, linux: s.Linux, f: &f.Facts, o: o, plan: new(Plan)}
	if b.linux == nil {
		b.linux = new(specs.Linux)
	}
	if err := checkLSM(p, &f.Facts); err != nil {
		return nil, err
	}
	b.late = true
	b.spawnExec(f)
	b.host(b.spawn)
	if b.f.Cgroup.Disabled || b.f.Cgroup.NoJoin || b.spawn.IntoCgroup {
		b.joined = true
	} else if b.f.Cgroup.Mode != "v2" {
		b.init(&step.Barrier{Name: BarrierAwake})
		b.host(&step.Release{Name: BarrierAwake}, &step.Await{Name: BarrierAwake},
			&step.CgroupJoin{Phase: step.JoinEarly, Sub: o.CgroupSub})
	}
	b.init(&step.Setsid{})
	if !o.NoNewKeyring {
		b.keyring(p)
	}
	if p.Terminal {
		rows, cols := b.consoleSize(p)
		b.init(&step.Console{Place: step.At("process.terminal"), Rows: rows, Cols: cols, UID: p.User.UID})
	}
	if a := p.ExecCPUAffinity; a != nil {
		if err := b.affinity("initial", a.Initial); err != nil {
			return nil, err
		}
	}
	if err := b.process(p, false); err != nil {
		return nil, err
	}
	return b.plan, nil
}

// spawnExec: the door enters all of the init's namespaces in one go; its child is in the pid namespace.
func (b *builder) spawnExec(f *ExecFacts) {
	s := &step.Spawn{Door: true, NonDumpable: true}
	b.spawn = s
	for _, n := range f.Namespaces {
		s.Joins = append(s.Joins, step.Join{Types: n.Types, Path: n.Path})
		switch n.Types {
		case unix.CLONE_NEWPID:
			s.Fork = true
		case unix.CLONE_NEWUSER:
			b.user = userNS{joined: true, uid: f.UIDMap, gid: f.GIDMap, denyGroups: f.DenyGroups}
			s.Become = true
			s.UID, s.GID = b.becomeID(f.UIDMap), b.becomeID(f.GIDMap)
		}
	}
	s.IntoCgroup = b.f.Cgroup.Into && b.o.CgroupSub == "" && !smallLimits(b.linux.Resources)
}

// affinity plans a mask of process.execCPUAffinity: "initial" before the cgroup is joined, "final" after
// that, since before Linux 6.2 joining a cpuset gives a process all processors of that.
func (b *builder) affinity(name, mask string) error {
	if mask == "" {
		return nil
	}
	at := "process.execCPUAffinity." + name
	list, err := spec.ParseList(mask)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	b.init(&step.Affinity{Mask: maskBytes(list), Place: step.At(at)})
	return nil
}
