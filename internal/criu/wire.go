package criu

import (
	"errors"
	"fmt"
	"os"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// errHungUp: criu has ended, or closed its socket, without an answer.
var errHungUp = errors.New("criu ended without an answer")

// maxMessage is far above what criu sends: its answers are some dozens of bytes, or a sentence.
const maxMessage = 64 << 10

func (p *Process) send(req *rpc.CriuReq) error {
	b, err := req.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	for {
		err := unix.Sendmsg(p.socket, b, nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
		case err == unix.EPIPE || err == unix.ECONNRESET:
			return errHungUp
		default:
			return os.NewSyscallError("sendmsg", err)
		}
	}
}

// receive reads a message and the descriptor that comes with it, if one does.
func (p *Process) receive() (*rpc.CriuResp, *os.File, error) {
	b, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4*16))
	var n, oobn int
	var err error
	for {
		n, oobn, _, _, err = unix.Recvmsg(p.socket, b, oob, unix.MSG_CMSG_CLOEXEC)
		if err != unix.EINTR {
			break
		}
	}
	if err == unix.ECONNRESET || err == nil && n == 0 {
		return nil, nil, errHungUp
	}
	if err != nil {
		return nil, nil, os.NewSyscallError("recvmsg", err)
	}
	file := firstFile(oob[:oobn])
	resp := new(rpc.CriuResp)
	if err := resp.UnmarshalVT(b[:n]); err != nil {
		closeFile(file)
		return nil, nil, fmt.Errorf("decode criu's message: %w", err)
	}
	return resp, file, nil
}

// firstFile takes the first descriptor of control messages, and closes those that nobody waits for.
func firstFile(oob []byte) *os.File {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var first *os.File
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if first == nil {
				first = os.NewFile(uintptr(fd), "pts master")
				continue
			}
			unix.Close(fd)
		}
	}
	return first
}
