package seccomp

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxSocketPath is what struct sockaddr_un holds, with its closing NUL.
const maxSocketPath = 108

// sendTimeout bounds, in seconds, each wait for a seccomp agent that neither
// accepts nor reads.
const sendTimeout = 30

// ProcessState is the message to a seccomp agent, in JSON (config-linux.md,
// "The Container Process State"): ociVersion, fds, pid, metadata and state.
type ProcessState = specs.ContainerProcessState

// NewProcessState makes the message for a process: its id as the runtime sees
// it, listenerMetadata, and the container's state. The one descriptor is named
// seccompFd.
func NewProcessState(pid int, metadata string, state specs.State) ProcessState {
	return ProcessState{
		Version:  state.Version,
		Fds:      []string{specs.SeccompFdName},
		Pid:      pid,
		Metadata: metadata,
		State:    state,
	}
}

// SendListener connects to the agent's socket (AF_UNIX, SOCK_STREAM), sends the
// state with the notification descriptor and closes the connection. The
// descriptor is borrowed: the caller closes it. Errors name the socket.
func SendListener(notifyFD int, socket string, state ProcessState) error {
	message, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("linux.seccomp.listenerPath %q: container process state: %w", socket, err)
	}
	conn, err := connect(socket)
	if err != nil {
		return fmt.Errorf("linux.seccomp.listenerPath: connect %q: %w", socket, err)
	}
	defer unix.Close(conn)
	if err := send(conn, message, notifyFD); err != nil {
		return fmt.Errorf("linux.seccomp.listenerPath: send to %q: %w", socket, err)
	}
	return nil
}

// connect opens a stream to the socket. A path too long for the address goes
// through a descriptor of its directory.
func connect(path string) (int, error) {
	if len(path) >= maxSocketPath {
		dir, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			return -1, err
		}
		defer dir.Close()
		path = fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	wait := unix.Timeval{Sec: sendTimeout}
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait)
	if err == nil {
		err = retry(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: path}) })
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// send writes the message; the descriptor goes with its first part.
func send(conn int, message []byte, fd int) error {
	rights := unix.UnixRights(fd)
	for len(message) > 0 {
		var n int
		err := retry(func() (err error) {
			n, err = unix.SendmsgN(conn, message, rights, nil, unix.MSG_NOSIGNAL)
			return err
		})
		if err != nil {
			return err
		}
		message, rights = message[n:], nil
	}
	return nil
}

func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
