package seccomp

import (
	"errors"
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	sc "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// ErrNoListener says that a profile uses SCMP_ACT_NOTIFY and names no socket.
var ErrNoListener = errors.New("no socket for SCMP_ACT_NOTIFY")

// Options are what Compile takes beside the profile. The zero value is usual.
type Options struct {
	// FailUnknownSyscall makes a name that nothing knows an error; by default
	// it is skipped with a warning (annotation run.oci.seccomp_fail_unknown_syscall).
	FailUnknownSyscall bool

	// RawBPF is a ready filter that takes the place of the profile's rules, an
	// array of struct sock_filter (annotation run.oci.seccomp_bpf_data, see
	// DecodeRawBPF). Flags and listener of the profile still apply.
	RawBPF []byte

	// Receiver is the socket of the seccomp agent if the profile has no
	// listenerPath (annotation run.oci.seccomp.receiver).
	Receiver string

	// CacheDir keeps compiled filters, "" keeps none. It is made with mode
	// 0700; one that belongs to somebody else or that others may write to is
	// not used. What goes wrong with the cache is a warning.
	CacheDir string
}

// Program is a compiled profile.
type Program struct {
	// Filter is an array of struct sock_filter in the byte order of the host,
	// at most 4096 of them.
	Filter []byte

	// Flags are the SECCOMP_FILTER_FLAG_* bits that the profile asks for. The
	// bits to load it with are LoadFlags.
	Flags uint32

	// Notify tells that the filter uses SECCOMP_RET_USER_NOTIF, so that loading
	// it must make a listener, to be sent to Listener with SendListener.
	Notify bool

	// Listener and Metadata are for the seccomp agent; empty without Notify.
	Listener, Metadata string

	// Warnings are full sentences for the log, with config path where one fits.
	Warnings []string
}

// LoadFlags returns the flags for seccomp(SECCOMP_SET_MODE_FILTER). With a
// listener NEW_LISTENER is added, and TSYNC_ESRCH where TSYNC is wanted too,
// because the call can return only one of descriptor and thread id. Without a
// listener WAIT_KILLABLE_RECV is left out: it has nothing to act on and the
// kernel refuses it.
func (p *Program) LoadFlags() uint32 {
	if !p.Notify {
		return p.Flags &^ unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	}
	flags := p.Flags | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	if flags&unix.SECCOMP_FILTER_FLAG_TSYNC != 0 {
		flags |= unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
	}
	return flags
}

// Compile makes the program of a profile. The profile is validated first; all
// findings are joined into the error. A nil profile without RawBPF gives nil.
func Compile(s *specs.LinuxSeccomp, opts Options) (*Program, error) {
	if s == nil && len(opts.RawBPF) == 0 {
		return nil, nil
	}
	if err := joined(Validate(s)); err != nil {
		return nil, err
	}
	prog, err := filterOf(s, opts)
	if err != nil {
		return nil, err
	}
	prog.Flags = filterFlags(s)
	if err := prog.listen(s, opts.Receiver); err != nil {
		return nil, err
	}
	return prog, nil
}

// joined makes one error of all findings.
func joined(found []Finding) error {
	errs := make([]error, len(found))
	for i, f := range found {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// filterOf returns filter, notify and warnings, from wherever they come.
func filterOf(s *specs.LinuxSeccomp, opts Options) (*Program, error) {
	if len(opts.RawBPF) > 0 {
		return rawProgram(opts.RawBPF)
	}
	if opts.CacheDir == "" {
		return compileProfile(s, opts.FailUnknownSyscall)
	}
	return throughCache(s, opts)
}

// throughCache takes the program from the cache, or compiles and puts it there.
// The cache is a convenience: a problem with it is a warning.
func throughCache(s *specs.LinuxSeccomp, opts Options) (*Program, error) {
	store, cacheErr := openCache(opts.CacheDir)
	key := cacheKey(s, opts.FailUnknownSyscall)
	if cacheErr == nil {
		defer store.close()
		if p := store.load(key); p != nil {
			return p, nil
		}
	}
	p, err := compileProfile(s, opts.FailUnknownSyscall)
	if err != nil {
		return nil, err
	}
	if cacheErr == nil {
		cacheErr = store.store(key, p)
	}
	if cacheErr != nil {
		p.Warnings = append(p.Warnings, fmt.Sprintf("seccomp cache %q: %v", opts.CacheDir, cacheErr))
	}
	return p, nil
}

// listen sets where the listener goes.
func (p *Program) listen(s *specs.LinuxSeccomp, receiver string) error {
	if !p.Notify {
		return nil
	}
	if s != nil {
		p.Listener, p.Metadata = s.ListenerPath, s.ListenerMetadata
	}
	if p.Listener == "" {
		p.Listener = receiver
	}
	if p.Listener == "" {
		return fmt.Errorf("linux.seccomp.listenerPath: %w", ErrNoListener)
	}
	return nil
}

// compileProfile compiles without looking at the cache.
func compileProfile(s *specs.LinuxSeccomp, failUnknown bool) (*Program, error) {
	native, err := sc.GetNativeArch()
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: native architecture: %w", err)
	}
	archs, err := chooseArchs(s.Architectures, native)
	if err != nil {
		return nil, err
	}
	p := readProfile(s, archs)
	if failUnknown && len(p.unknown) > 0 {
		return nil, errors.New(p.unknown[0])
	}
	prog, err := compileLibrary(p, native)
	if err != nil {
		return nil, err
	}
	prog = addTail(prog, p)
	if err := check(prog); err != nil {
		return nil, fmt.Errorf("linux.seccomp: %w", err)
	}
	out := &Program{Filter: encode(prog), Notify: p.notify}
	for _, text := range p.unknown {
		out.Warnings = append(out.Warnings, text+", skipped")
	}
	return out, nil
}

// chooseArchs returns the architectures to build for: those of the profile and
// always the native one.
func chooseArchs(names []specs.Arch, native sc.ScmpArch) ([]arch, error) {
	var wanted archMask
	for _, name := range names {
		wanted |= maskOf(name)
	}
	known := false
	var archs []arch
	for _, a := range builtArchs() {
		known = known || a.lib == native
		if a.lib == native || wanted&a.bit != 0 {
			archs = append(archs, a)
		}
	}
	if !known {
		return nil, fmt.Errorf("linux.seccomp: native architecture %q is not supported", native.String())
	}
	return archs, nil
}
