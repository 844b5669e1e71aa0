package plan

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/spec"
	"tare/internal/step"
)

// defaultDevice is a node that every container has (config-linux.md, "Default Devices").
type defaultDevice struct {
	path         string
	major, minor uint32
}

var defaultDevices = [...]defaultDevice{
	{"/dev/null", 1, 3}, {"/dev/zero", 1, 5}, {"/dev/full", 1, 7},
	{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
}

// devices plans the default nodes and links, but where the bundle brings a /dev of its own, and the
// spec's devices, which win over a default one of the same path.
func (b *builder) devices() {
	named := make(map[string]bool, len(b.linux.Devices))
	for i := range b.linux.Devices {
		named[spec.MountDestination(b.linux.Devices[i].Path)] = true
	}
	if !b.devBind {
		for _, d := range defaultDevices {
			if !named[d.path] {
				b.init(&step.Device{Path: d.path, Type: unix.S_IFCHR, Major: d.major, Minor: d.minor,
					Mode: 0o666, Bind: b.user.any(), Source: d.path})
			}
		}
	}
	for i := range b.linux.Devices {
		b.device(i, &b.linux.Devices[i])
	}
	if !b.devBind {
		b.devLinks()
	}
}

func (b *builder) device(i int, d *specs.LinuxDevice) {
	s := &step.Device{Place: step.At(fmt.Sprintf("linux.devices[%d]", i)), Path: spec.MountDestination(d.Path),
		Type: unix.S_IFCHR, Major: uint32(d.Major), Minor: uint32(d.Minor), Mode: 0o666}
	switch d.Type {
	case "b":
		s.Type = unix.S_IFBLK
	case "p":
		s.Type, s.Major, s.Minor = unix.S_IFIFO, 0, 0
	}
	if d.FileMode != nil {
		s.Mode = uint32(*d.FileMode) & 0o7777
	}
	if d.UID != nil {
		s.UID = *d.UID
	}
	if d.GID != nil {
		s.GID = *d.GID
	}
	if s.Type != unix.S_IFIFO {
		// A user namespace may not make nodes: the host's node of the same path stands in.
		s.Bind, s.Source = b.user.any(), s.Path
	}
	b.init(s)
}

func (b *builder) devLinks() {
	link := func(path, target string) { b.init(&step.Symlink{Path: path, Target: target}) }
	link("/dev/fd", "/proc/self/fd")
	link("/dev/stdin", "/proc/self/fd/0")
	link("/dev/stdout", "/proc/self/fd/1")
	link("/dev/stderr", "/proc/self/fd/2")
	if b.f.Kcore {
		link("/dev/core", "/proc/kcore")
	}
	b.init(&step.Symlink{Path: "/dev/ptmx", Target: "pts/ptmx", Replace: true})
}

func (b *builder) console() {
	p := b.s.Process
	if !p.Terminal {
		return
	}
	rows, cols := b.consoleSize(p)
	b.init(&step.Console{Place: step.At("process.terminal"), Rows: rows, Cols: cols, BindConsole: true, UID: p.User.UID})
}

// consoleSize is the spec's, when it gives both numbers, else the caller's.
func (b *builder) consoleSize(p *specs.Process) (rows, cols uint32) {
	if s := p.ConsoleSize; s != nil && s.Height > 0 && s.Width > 0 {
		return uint32(s.Height), uint32(s.Width)
	}
	return b.o.ConsoleRows, b.o.ConsoleCols
}
