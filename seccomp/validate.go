package seccomp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Finding is one thing that is wrong with a profile.
type Finding struct {
	Path string // where in config.json, such as linux.seccomp.syscalls[3].args[0].op
	Text string // what is wrong there
}

// Error returns path and text as one line.
func (f Finding) Error() string { return f.Path + ": " + f.Text }

// Validate reports everything that is wrong with the profile itself, in the
// order of the document; nil means that it can be compiled. It is pure: it asks
// neither libseccomp nor the kernel, so names of system calls are not judged.
func Validate(s *specs.LinuxSeccomp) []Finding {
	if s == nil {
		return nil
	}
	v := &validator{}
	v.defaultAction(s)
	v.architectures(s.Architectures)
	v.flags(s.Flags)
	v.listener(s)
	for i := range s.Syscalls {
		v.rule(i, &s.Syscalls[i])
	}
	return v.found
}

type validator struct{ found []Finding }

func (v *validator) add(path, format string, args ...any) {
	v.found = append(v.found, Finding{Path: path, Text: fmt.Sprintf(format, args...)})
}

func (v *validator) defaultAction(s *specs.LinuxSeccomp) {
	v.action("linux.seccomp.defaultAction", s.DefaultAction)
	v.errno("linux.seccomp.defaultErrnoRet", s.DefaultAction, s.DefaultErrnoRet)
	// The init process itself runs under the filter before anyone listens.
	if s.DefaultAction == specs.ActNotify {
		v.add("linux.seccomp.defaultAction", "%s cannot be the default action", specs.ActNotify)
	}
}

func (v *validator) action(path string, a specs.LinuxSeccompAction) {
	if a == "" {
		v.add(path, "an action is required")
	} else if _, ok := actionBase(a); !ok {
		v.add(path, "unknown action %q", string(a))
	}
}

func (v *validator) errno(path string, a specs.LinuxSeccompAction, errno *uint) {
	if errno == nil {
		return
	}
	if _, known := actionBase(a); !known {
		return
	}
	highest, ok := takesErrno(a)
	if !ok {
		v.add(path, "action %s takes no error number", string(a))
	} else if *errno > highest {
		v.add(path, "%d is above %d, the highest number %s can give", *errno, highest, string(a))
	}
}

func (v *validator) architectures(archs []specs.Arch) {
	for i, a := range archs {
		if _, ok := slices.BinarySearch(Archs(), string(a)); !ok {
			v.add("linux.seccomp.architectures["+strconv.Itoa(i)+"]", "unknown architecture %q", string(a))
		}
	}
}

func (v *validator) flags(flags []specs.LinuxSeccompFlag) {
	for i, f := range flags {
		if _, ok := flagBit(string(f)); !ok {
			v.add("linux.seccomp.flags["+strconv.Itoa(i)+"]", "unknown flag %q", string(f))
		}
	}
}

func (v *validator) listener(s *specs.LinuxSeccomp) {
	if s.ListenerPath == "" && s.ListenerMetadata != "" {
		v.add("linux.seccomp.listenerMetadata", "must not be set without listenerPath")
	}
	if strings.IndexByte(s.ListenerPath, 0) >= 0 {
		v.add("linux.seccomp.listenerPath", "holds a NUL byte")
	}
}

func (v *validator) rule(i int, r *specs.LinuxSyscall) {
	path := "linux.seccomp.syscalls[" + strconv.Itoa(i) + "]"
	if len(r.Names) == 0 {
		v.add(path+".names", "at least one name is required")
	}
	for j, name := range r.Names {
		v.name(path, j, name, r.Action)
	}
	v.action(path+".action", r.Action)
	v.errno(path+".errnoRet", r.Action, r.ErrnoRet)
	for j, arg := range r.Args {
		at := path + ".args[" + strconv.Itoa(j) + "]"
		if arg.Index > 5 {
			v.add(at+".index", "%d is above 5, the last argument", arg.Index)
		}
		if !knownOperator(arg.Op) {
			v.add(at+".op", "unknown operator %q", string(arg.Op))
		}
	}
}

// name checks names[j] of the entry at path. There are many names, so their
// paths are put together only when one is wrong.
func (v *validator) name(path string, j int, name string, a specs.LinuxSeccompAction) {
	at := func() string { return path + ".names[" + strconv.Itoa(j) + "]" }
	if name == "" {
		v.add(at(), "empty name")
	}
	// C would see only what stands before the NUL: another system call.
	if strings.IndexByte(name, 0) >= 0 {
		v.add(at(), "name %q holds a NUL byte", name)
	}
	// The init process hands the listener out with these, so they would wait
	// for an agent that has nothing to listen on yet.
	if a == specs.ActNotify && (name == "write" || name == "sendmsg") {
		v.add(at(), "%s cannot be used on %q: it passes the listener to the agent", specs.ActNotify, name)
	}
}
