package libcontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/internal/criu"
	"tare/internal/facts"
	"tare/internal/plan"
)

// CheckpointOptions say what Checkpoint writes.
type CheckpointOptions struct {
	CRIUOptions
	// ParentPath is an earlier image, relative to ImagePath: pages that have not changed since are not
	// written again.
	ParentPath string
	// LeaveRunning keeps the container as it is; otherwise it is gone in the end, as after Delete.
	LeaveRunning bool
	// PreDump writes the memory alone, for a later image to have it as its parent; the container goes on.
	PreDump bool
	// TCPSkipInFlight leaves out TCP connections that are not established yet.
	TCPSkipInFlight bool
	// PageServer is ADDRESS:PORT of a `criu page-server` that gets the memory; with LazyPages, where this
	// call offers it.
	PageServer string
	// StatusFile gets a NUL byte as soon as the pages are on offer; borrowed, nil for none.
	StatusFile *os.File
}

// The names of files of an image that are not CRIU's: others read and write the same.
const (
	descriptorsName = "descriptors.json"
	dumpLog         = "dump.log"
	restoreLog      = "restore.log"
)

// Checkpoint writes the processes of a running or paused container to an image, from which Restore makes
// them anew. It needs root, and CRIU.
func (c *Container) Checkpoint(ctx context.Context, o CheckpointOptions) error {
	l, err := c.loadLocked(ctx, "checkpoint")
	if err != nil {
		return err
	}
	defer l.close()
	if err := c.mayCheckpoint(l); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	path, version, err := findCRIU(ctx)
	if err != nil {
		return err
	}
	if err := o.checkFeatures(ctx, path); err != nil {
		return err
	}
	if err := c.dump(ctx, l, &o, path, version); err != nil {
		return fmt.Errorf("container %q: %w", c.id, err)
	}
	if o.LeaveRunning || o.PreDump {
		return nil
	}
	// The processes are gone: what is left must not stay because somebody has lost interest.
	return c.remove(context.WithoutCancel(ctx), l)
}

func (c *Container) mayCheckpoint(l *loaded) error {
	status, err := l.status()
	if err != nil {
		return err
	}
	switch status {
	case Running:
		return nil
	case Paused: // before start, perhaps
		s, waiting, err := dial(l.dir.SocketPath())
		if s >= 0 {
			unix.Close(s)
		}
		if err != nil || !waiting {
			return err
		}
		status = Created
	case Stopped:
		return c.wrong(status, "container not running")
	}
	return c.wrong(status, "cannot checkpoint a container that is %s", status)
}

// check refuses what does not go together.
func (o *CheckpointOptions) check() error {
	if filepath.IsAbs(o.ParentPath) {
		return fmt.Errorf("parent path %q: must be relative to the image path", o.ParentPath)
	}
	if o.PreDump && o.LazyPages {
		return errors.New("pre-dump and lazy pages exclude each other: a pre-dump writes memory, and nothing else")
	}
	if o.ParentPath == "" {
		return nil
	}
	st, err := os.Stat(filepath.Join(o.ImagePath, o.ParentPath))
	if err == nil && !st.IsDir() {
		err = fmt.Errorf("%q: not a directory", o.ParentPath)
	}
	if err != nil {
		return fmt.Errorf("parent path: %w", err)
	}
	return nil
}

// checkFeatures asks for what the kernel may lack.
func (o *CheckpointOptions) checkFeatures(ctx context.Context, path string) error {
	if !o.PreDump && !o.LazyPages {
		return nil
	}
	have, err := criu.Features(ctx, path)
	if err != nil {
		return err
	}
	if o.PreDump && !have.GetMemTrack() {
		return errors.New("pre-dump: the kernel, or this criu, cannot track changes of memory")
	}
	if o.LazyPages && !have.GetLazyPages() {
		return errors.New("lazy pages: the kernel, or this criu, has no userfaultfd for it")
	}
	return nil
}

func (c *Container) dump(ctx context.Context, l *loaded, o *CheckpointOptions, path string, version int) error {
	s, err := l.spec()
	if err != nil {
		return err
	}
	p, err := c.planDump(l, s, version)
	if err != nil {
		return err
	}
	c.rt.debug(c.id, "checkpoint:\n%s", p.Text())
	im, err := openImages(&o.CRIUOptions, s, dumpLog, true)
	if err != nil {
		return err
	}
	defer im.close()
	req, err := o.request(l, s, p, im)
	if err != nil {
		return err
	}
	if !o.PreDump {
		if err := writeDescriptors(o.ImagePath, l.record.StdioNames); err != nil {
			return err
		}
	}
	cr, err := criu.Start(&criu.Options{Path: path})
	if err != nil {
		return err
	}
	defer cr.Close()
	_, err = cr.Do(ctx, req, nil)
	return cr.Complain(err, im.log)
}

// planDump looks into the container and decides.
func (c *Container) planDump(l *loaded, s *specs.Spec, version int) (*plan.Dump, error) {
	f, err := facts.GatherDump(plan.DumpPaths(s), l.record.Pid)
	if err != nil {
		return nil, err
	}
	paths := l.mgr.Paths()
	f.CgroupMode = l.mgr.Config().Mode().String()
	f.Freezer = paths["freezer"]
	if v2 := paths[""]; v2 != "" { // the one that Pause uses, also beside v1
		if err := needCRIU(version, criuFreezeV2, "the freezer of cgroup v2"); err != nil {
			return nil, err
		}
		f.Freezer = v2
	}
	if len(paths) == 0 { // a container without a cgroup of its own still sees the host's
		layout, err := cgroups.Detect()
		if err != nil {
			return nil, err
		}
		f.CgroupMode = layout.Mode.String()
	}
	return plan.BuildDump(s, f)
}

// request is what CRIU is asked for.
func (o *CheckpointOptions) request(l *loaded, s *specs.Spec, p *plan.Dump, im *images) (*rpc.CriuReq, error) {
	opts, err := o.common(im, s, dumpLog)
	if err != nil {
		return nil, err
	}
	if opts.Ps, err = pageServer(o.PageServer); err != nil {
		return nil, err
	}
	opts.Pid = new(int32(l.record.Pid))
	opts.Root = new(l.record.Rootfs)
	opts.External = p.External
	opts.LeaveRunning = new(o.LeaveRunning)
	opts.TcpSkipInFlight = new(o.TCPSkipInFlight)
	if p.FreezeCgroup != "" {
		opts.FreezeCgroup = new(p.FreezeCgroup)
	}
	if o.StatusFile != nil {
		opts.StatusFd = new(int32(o.StatusFile.Fd()))
	}
	kind := rpc.CriuReqType_DUMP
	if o.PreDump {
		kind = rpc.CriuReqType_PRE_DUMP
	}
	if o.PreDump || o.ParentPath != "" {
		opts.TrackMem = new(true)
	}
	if o.ParentPath != "" {
		opts.ParentImg = new(o.ParentPath)
	}
	return &rpc.CriuReq{Type: &kind, Opts: opts}, nil
}

// writeDescriptors keeps what the standard descriptors led to, for Restore to put others in their place.
func writeDescriptors(dir string, names [3]string) error {
	b, err := json.Marshal(names[:])
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, descriptorsName), b, 0o600); err != nil {
		return fmt.Errorf("image path: %w", err)
	}
	return nil
}

// readDescriptors reads what writeDescriptors has written. An image without is fine: it has nothing to
// replace.
func readDescriptors(dir string) (names []string, err error) {
	b, err := os.ReadFile(filepath.Join(dir, descriptorsName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &names)
	}
	if err != nil {
		return nil, fmt.Errorf("image path: %q: %w", descriptorsName, err)
	}
	return names, nil
}
