package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/criu"
	"tare/internal/spec"
)

// CRIUOptions are those that Checkpoint and Restore have in common. What they mean is in criu(8).
type CRIUOptions struct {
	// ImagePath is the directory of the image.
	ImagePath string
	// WorkPath is the directory of the log and of other files that are not part of the image; "" is
	// ImagePath.
	WorkPath string
	// TCPEstablished keeps established TCP connections.
	TCPEstablished bool
	// ExternalUnixSockets keeps unix sockets whose other end is outside of the container.
	ExternalUnixSockets bool
	// ShellJob is for processes whose session leader, or terminal, is outside of the container.
	ShellJob bool
	// FileLocks keeps file locks.
	FileLocks bool
	// LinkRemap makes links for files that are open and whose names are gone.
	LinkRemap bool
	// AutoDedup punches out of a parent image what a newer one, or the restored processes, have.
	AutoDedup bool
	// LazyPages leaves the memory to be fetched page by page once the processes run (userfaultfd(2)).
	LazyPages bool
	// ManageCgroups is "soft" (also ""), "full", "strict" or "ignore".
	ManageCgroups string
	// EmptyNamespaces are those whose content is left out: "network" only.
	EmptyNamespaces []string
	// NetworkLock keeps packets away meanwhile: "iptables" (also ""), "nftables" or "skip".
	NetworkLock string
}

// HasCRIU tells whether there is a program to checkpoint with.
func HasCRIU() bool {
	_, err := criu.Find()
	return err == nil
}

// Versions of CRIU that something depends on, as criu.Version counts.
const (
	criuLeast    = 30000
	criuFreezeV2 = 31400
	criuLSM      = 31600
)

var errRootless = errors.New("checkpoint and restore need root (of the host's user namespace)")

// findCRIU finds the program and asks how old it is.
func findCRIU(ctx context.Context) (path string, version int, err error) {
	if os.Geteuid() != 0 {
		return "", 0, errRootless
	}
	if path, err = criu.Find(); err != nil {
		return "", 0, err
	}
	if version, err = criu.Version(ctx, path); err != nil {
		return "", 0, err
	}
	if version < criuLeast {
		return "", 0, fmt.Errorf("criu %s is too old: 3.0 is the least", criuName(version))
	}
	return path, version, nil
}

func criuName(v int) string {
	return strconv.Itoa(v/10000) + "." + strconv.Itoa(v/100%100) + "." + strconv.Itoa(v%100)
}

// needCRIU says which option a newer CRIU would know.
func needCRIU(have, least int, what string) error {
	if have >= least {
		return nil
	}
	return fmt.Errorf("%s: criu %s does not know it (%s is the least)", what, criuName(have), criuName(least))
}

// images are the opened directories of an image.
type images struct {
	dir, work *os.File
	log       string
}

func (im *images) close() {
	closeFiles([]*os.File{im.dir, im.work})
}

// openImages opens the directories; create makes those that are missing. The files in them are readable for
// all, and hold the memory of the processes: the directories must not be. In a user namespace criu reads them
// as its root: the group of that one is let through.
func openImages(o *CRIUOptions, s *specs.Spec, log string, create bool) (*images, error) {
	if o.ImagePath == "" {
		return nil, errors.New("image path: must be given")
	}
	im := new(images)
	var err error
	group := -1
	if spec.Namespace(s, specs.UserNamespace) != nil {
		if gid, ok := spec.HostID(s.Linux.GIDMappings, 0); ok {
			group = int(gid)
		}
	}
	if im.dir, err = openDir("image path", o.ImagePath, create, group); err != nil {
		return nil, err
	}
	work := o.WorkPath
	if work == "" {
		work = o.ImagePath
	}
	if im.work, err = openDir("work path", work, true, group); err != nil {
		im.close()
		return nil, err
	}
	im.log = filepath.Join(work, log)
	return im, nil
}

func openDir(what, path string, create bool, group int) (*os.File, error) {
	if _, err := os.Stat(path); create && errors.Is(err, os.ErrNotExist) {
		if err := makeDir(path, group); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return f, nil
}

func makeDir(path string, group int) error {
	if err := os.MkdirAll(path, 0o700); err != nil || group < 0 {
		return err
	}
	if err := os.Chown(path, -1, group); err != nil {
		return err
	}
	return os.Chmod(path, 0o710)
}

// common are the options of a dump and of a restore alike.
func (o *CRIUOptions) common(im *images, s *specs.Spec, log string) (*rpc.CriuOpts, error) {
	opts := &rpc.CriuOpts{
		ImagesDirFd: new(int32(im.dir.Fd())), WorkDirFd: new(int32(im.work.Fd())),
		LogLevel: new(int32(4)), LogFile: new(log),
		NotifyScripts: new(true), OrphanPtsMaster: new(true),
		TcpEstablished: new(o.TCPEstablished), ExtUnixSk: new(o.ExternalUnixSockets), ShellJob: new(o.ShellJob),
		FileLocks: new(o.FileLocks), LinkRemap: new(o.LinkRemap), AutoDedup: new(o.AutoDedup), LazyPages: new(o.LazyPages),
		ManageCgroups: new(true),
	}
	var err error
	if opts.ManageCgroupsMode, err = cgroupMode(o.ManageCgroups); err != nil {
		return nil, err
	}
	if opts.EmptyNs, err = emptyNamespaces(o.EmptyNamespaces); err != nil {
		return nil, err
	}
	if opts.NetworkLock, err = networkLock(o.NetworkLock); err != nil {
		return nil, err
	}
	if file := configFile(s); file != "" {
		opts.ConfigFile = new(file)
	}
	return opts, nil
}

func cgroupMode(name string) (*rpc.CriuCgMode, error) {
	mode := rpc.CriuCgMode_SOFT
	switch name {
	case "", "soft":
	case "full":
		mode = rpc.CriuCgMode_FULL
	case "strict":
		mode = rpc.CriuCgMode_STRICT
	case "ignore":
		mode = rpc.CriuCgMode_IGNORE
	default:
		return nil, fmt.Errorf("cgroup mode %q: unknown (soft, full, strict or ignore)", name)
	}
	return &mode, nil
}

func emptyNamespaces(names []string) (*uint32, error) {
	var flags uint32
	for _, n := range names {
		if n != string(specs.NetworkNamespace) {
			return nil, fmt.Errorf("empty namespace %q: not possible (network is)", n)
		}
		flags |= unix.CLONE_NEWNET
	}
	if flags == 0 {
		return nil, nil
	}
	return &flags, nil
}

func networkLock(name string) (*rpc.CriuNetworkLockMethod, error) {
	method := rpc.CriuNetworkLockMethod_IPTABLES
	switch name {
	case "":
		return nil, nil
	case "iptables":
	case "nftables":
		method = rpc.CriuNetworkLockMethod_NFTABLES
	case "skip":
		method = rpc.CriuNetworkLockMethod_SKIP
	default:
		return nil, fmt.Errorf("network lock %q: unknown (iptables, nftables or skip)", name)
	}
	return &method, nil
}

// configFile is CRIU's own configuration: the one that the annotation names, "" there for none, else the
// first of the usual ones that exists.
func configFile(s *specs.Spec) string {
	if file, ok := s.Annotations[spec.AnnotationCRIUConfig]; ok {
		return file
	}
	usual := []string{"/etc/criu/tare.conf", "/etc/criu/runc.conf"}
	i := slices.IndexFunc(usual, func(f string) bool {
		_, err := os.Stat(f)
		return err == nil
	})
	if i < 0 {
		return ""
	}
	return usual[i]
}

// pageServer turns ADDRESS:PORT into where the memory goes.
func pageServer(address string) (*rpc.CriuPageServerInfo, error) {
	if address == "" {
		return nil, nil
	}
	i := strings.LastIndexByte(address, ':')
	if i < 1 {
		return nil, fmt.Errorf("page server %q: not ADDRESS:PORT", address)
	}
	port, err := strconv.ParseUint(address[i+1:], 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("page server %q: not ADDRESS:PORT", address)
	}
	host := strings.TrimSuffix(strings.TrimPrefix(address[:i], "["), "]")
	return &rpc.CriuPageServerInfo{Address: &host, Port: new(int32(port))}, nil
}
