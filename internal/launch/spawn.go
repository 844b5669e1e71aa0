// Package launch starts the init stage: it executes the sealed binary in its namespaces and speaks
// with it over one socket. It is the only caller of clone(2) in the runtime process.
package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"tare/internal/step"
)

// Options are what a Spawn step cannot hold: descriptors and functions. All are borrowed.
type Options struct {
	Exe *os.File // from OpenExe
	// Stdio become 0, 1 and 2; nil is /dev/null.
	Stdio [3]*os.File
	// Joins are the opened namespaces of Spawn.Joins, in their order.
	Joins []*os.File
	// Calls: the plan will come with a program for the fast lane.
	Calls bool
	// Cgroup is the cgroup's directory for Spawn.IntoCgroup.
	Cgroup *os.File
	// MapHelpers writes the id maps of pid for step.MapHelpers.
	MapHelpers func(pid int, uid, gid []step.IDMap) error
}

// Child is a started init stage.
type Child struct {
	Pid   int
	Pidfd *os.File
	Conn  *Conn
}

// Kill ends the init stage and reaps it. It is for the way back: after a failure.
func (c *Child) Kill() {
	c.Conn.Close()
	unix.PidfdSendSignal(int(c.Pidfd.Fd()), unix.SIGKILL, nil, 0)
	c.Reap()
}

// Reap waits for the dead child; the pidfd is closed.
func (c *Child) Reap() {
	for {
		_, err := unix.Wait4(c.Pid, nil, 0, nil)
		if err != unix.EINTR {
			break
		}
	}
	c.Pidfd.Close()
}

// Start executes the init stage as s says. When it returns, the namespaces are made and entered, the
// id maps are written, and the init waits for its plan. On an error nothing is left.
func Start(ctx context.Context, s *step.Spawn, o Options) (*Child, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	conn, err := NewConn(pair[0])
	if err != nil {
		unix.Close(pair[1])
		return nil, err
	}
	c, err := clone(s, o, pair[1], conn)
	unix.Close(pair[1])
	if err != nil {
		conn.Close()
		return nil, err
	}
	if s.Door {
		if err := c.throughDoor(ctx, s, o); err != nil {
			c.Kill()
			return nil, err
		}
	}
	return c, nil
}

func clone(s *step.Spawn, o Options, sock int, conn *Conn) (*Child, error) {
	mode := step.ModeGo
	if s.Door {
		mode = step.ModeDoor
	}
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0) // os.Open would ask the poller
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	defer unix.Close(null)
	files := make([]uintptr, 0, 4)
	for _, f := range o.Stdio {
		fd := uintptr(null)
		if f != nil {
			fd = f.Fd()
		}
		files = append(files, fd)
	}
	pidfd := -1
	attr := &syscall.ProcAttr{
		Dir:   "",
		Env:   initEnv(),
		Files: append(files, uintptr(sock)),
		Sys:   &syscall.SysProcAttr{Cloneflags: uintptr(s.Clone), PidFD: &pidfd},
	}
	if s.IntoCgroup {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(o.Cgroup.Fd())
	}
	if s.Clone&unix.CLONE_NEWUSER != 0 {
		attr.Sys.UidMappings, attr.Sys.GidMappings = sysMaps(s.UIDMap), sysMaps(s.GIDMap)
		attr.Sys.GidMappingsEnableSetgroups = !s.DenySetgroup
		if s.Become {
			attr.Sys.Credential = &syscall.Credential{Uid: s.UID, Gid: s.GID, NoSetGroups: true}
		}
	}
	args := []string{step.InitName, mode}
	if o.Calls {
		args = append(args, step.ModeCalls)
	}
	pid, err := forkExec(int(o.Exe.Fd()), args, attr)
	runtime.KeepAlive(o)
	if err != nil {
		return nil, fmt.Errorf("clone the init stage: %w", err)
	}
	if pidfd < 0 {
		if pidfd, err = unix.PidfdOpen(pid, 0); err != nil {
			unix.Kill(pid, unix.SIGKILL)
			unix.Wait4(pid, nil, 0, nil)
			return nil, os.NewSyscallError("pidfd_open", err)
		}
	}
	return &Child{Pid: pid, Pidfd: os.NewFile(uintptr(pidfd), "pidfd"), Conn: conn}, nil
}

// initEnv keeps the Go runtime of the init stage small: one processor, no collection in its short
// life.
func initEnv() []string {
	env := []string{"GOMAXPROCS=1", "GOGC=off"}
	return append(env, coverEnv()...)
}

func sysMaps(maps []step.IDMap) []syscall.SysProcIDMap {
	out := make([]syscall.SysProcIDMap, len(maps))
	for i, m := range maps {
		out[i] = syscall.SysProcIDMap{ContainerID: int(m.Container), HostID: int(m.Host), Size: int(m.Size)}
	}
	return out
}

// throughDoor sends the door its request, writes the id maps when it asks, and follows the process
// when it clones.
func (c *Child) throughDoor(ctx context.Context, s *step.Spawn, o Options) error {
	req := doorRequest(s)
	b, ok := req.Encode()
	if !ok {
		return placed("linux.namespaces: too many to join, or time offsets too long")
	}
	fds := make([]int, len(o.Joins))
	for i, f := range o.Joins {
		fds[i] = int(f.Fd())
	}
	return c.Conn.bounded(ctx, "to enter its namespaces", func() error {
		if err := c.Conn.send(b, fds); err != nil {
			return fmt.Errorf("send the door its request: %w", err)
		}
		// After the clone two processes write: which of them is first is open.
		for done, followed := false, !s.Fork; !done || !followed; {
			var buf [step.DoorReplySize]byte
			if _, err := io.ReadFull(c.Conn.f, buf[:]); err != nil {
				return fmt.Errorf("enter the namespaces: %w", hungUp(err))
			}
			r, _ := step.ParseDoorReply(buf[:])
			switch r.Stage {
			case step.DoorDone:
				done = true
			case step.DoorMaps:
				if err := c.writeMaps(s, o); err != nil {
					return err
				}
			case step.DoorChild:
				if err := c.follow(int(r.Index)); err != nil {
					return err
				}
				followed = true
			default:
				return doorError(s, r)
			}
		}
		return nil
	})
}

func doorRequest(s *step.Spawn) *step.DoorRequest {
	req := &step.DoorRequest{Unshare: s.Unshare, Offsets: s.TimeOffsets, UID: s.UID, GID: s.GID}
	for _, j := range s.Joins {
		req.Joins = append(req.Joins, j.Types)
	}
	set := func(bit uint32, on bool) {
		if on {
			req.Flags |= bit
		}
	}
	set(step.DoorFork, s.Fork)
	set(step.DoorBecome, s.Become && s.Clone&unix.CLONE_NEWUSER == 0)
	set(step.DoorWaitMaps, s.Unshare&unix.CLONE_NEWUSER != 0)
	set(step.DoorNonDumpable, s.NonDumpable)
	return req
}

// follow replaces the process by the child that the door has cloned. It is our child too
// (CLONE_PARENT), so its number cannot be taken by another before we reap it.
func (c *Child) follow(pid int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	first := Child{Pid: c.Pid, Pidfd: c.Pidfd}
	c.Pid, c.Pidfd = pid, os.NewFile(uintptr(pidfd), "pidfd")
	first.Reap()
	return nil
}

func (c *Child) writeMaps(s *step.Spawn, o Options) error {
	var err error
	if s.MapHow == step.MapHelpers {
		err = o.MapHelpers(c.Pid, s.UIDMap, s.GIDMap)
	} else {
		err = writeMaps(c.Pid, s)
	}
	if err != nil {
		return err
	}
	_, err = c.Conn.f.Write([]byte{1})
	return err
}

func writeMaps(pid int, s *step.Spawn) error {
	if s.DenySetgroup {
		if err := writeProc(pid, "setgroups", "deny"); err != nil {
			return err
		}
	}
	if err := writeProc(pid, "uid_map", mapText(s.UIDMap)); err != nil {
		return placed("linux.uidMappings: %w", err)
	}
	if err := writeProc(pid, "gid_map", mapText(s.GIDMap)); err != nil {
		return placed("linux.gidMappings: %w", err)
	}
	return nil
}

func writeProc(pid int, name, text string) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/%s", pid, name), []byte(text), 0)
}

func mapText(maps []step.IDMap) string {
	s := ""
	for _, m := range maps {
		s += fmt.Sprintf("%d %d %d\n", m.Container, m.Host, m.Size)
	}
	return s
}

// PlacedError is an error whose text begins with its place in config.json.
type PlacedError struct{ error }

// Unwrap gives the error as it is.
func (e *PlacedError) Unwrap() error { return e.error }

// Placed says of an error that it begins with its place.
func Placed(err error) error { return &PlacedError{err} }

func placed(format string, args ...any) error { return Placed(fmt.Errorf(format, args...)) }

func doorError(s *step.Spawn, r step.DoorReply) error {
	errno := unix.Errno(r.Errno)
	switch r.Stage {
	case step.DoorJoin:
		if int(r.Index) < len(s.Joins) {
			return placed("linux.namespaces: setns %q: %w", s.Joins[r.Index].Path, errno)
		}
	case step.DoorUnshare:
		return placed("linux.namespaces: unshare: %w", errno)
	case step.DoorUser:
		return placed("linux.uidMappings: setresuid %d:%d: %w", s.UID, s.GID, errno)
	case step.DoorOffsets:
		return placed("linux.timeOffsets: write %q to timens_offsets: %w", s.TimeOffsets, errno)
	case step.DoorClone:
		return fmt.Errorf("clone into the pid namespace: %w", errno)
	}
	return errors.Join(fmt.Errorf("enter the namespaces: door stage %d", r.Stage), errno)
}
