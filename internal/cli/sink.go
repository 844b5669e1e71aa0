package cli

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// openSink opens a destination of --log.
func openSink(dest string, asJSON bool) (sink, error) {
	kind, rest, ok := strings.Cut(dest, ":")
	switch {
	case ok && kind == "journald":
		return openDatagram(dest, "/run/systemd/journal/socket", rest, journalMessage)
	case ok && kind == "syslog":
		return openDatagram(dest, "/dev/log", rest, syslogMessage)
	case ok && kind == "file":
		dest = rest
	}
	f, err := os.OpenFile(dest, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_SYNC, 0o644)
	if err != nil {
		return nil, fmt.Errorf("--log: %w", err)
	}
	return &fileSink{f, asJSON}, nil
}

type fileSink struct {
	*os.File
	json bool
}

// send writes a line with one write, so that lines of several processes do not mix.
func (s *fileSink) send(l level, msg string, at time.Time) error {
	_, err := s.Write(line(s.json, l, msg, at))
	return err
}

// serviceTime bounds how long a log service may keep a message waiting: one that hangs must not hang
// containers.
const serviceTime = time.Second

// datagramSink sends each message to a socket of a log service.
type datagramSink struct {
	fd     int
	broken error // why nothing more is sent
	addr   unix.SockaddrUnix
	id     string
	format func(id string, l level, msg string, at time.Time) []byte
}

func openDatagram(dest, socket, id string, format func(string, level, string, time.Time) []byte) (sink, error) {
	if id == "" || strings.ContainsAny(id, "\n\x00") {
		return nil, fmt.Errorf("--log %q: an identifier is wanted after the colon", dest)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("--log %q: socket: %w", dest, err)
	}
	wait := unix.NsecToTimeval(int64(serviceTime))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("--log %q: SO_SNDTIMEO: %w", dest, err)
	}
	s := &datagramSink{fd: fd, addr: unix.SockaddrUnix{Name: socket}, id: id, format: format}
	if err := unix.Connect(fd, &s.addr); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("--log %q: connect %q: %w", dest, socket, err)
	}
	return s, nil
}

// send waits for a service that is slow. After one that was too slow, or has gone, the rest is not sent:
// the first error was told.
func (s *datagramSink) send(l level, msg string, at time.Time) error {
	if s.broken != nil {
		return errTold
	}
	for {
		_, err := unix.Write(s.fd, s.format(s.id, l, msg, at))
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			err = fmt.Errorf("%q takes nothing for %v, messages are lost", s.addr.Name, serviceTime)
		case err != nil:
			err = fmt.Errorf("write %q: %w", s.addr.Name, err)
		}
		s.broken = err
		return err
	}
}

// errTold stands for an error of a sink that was reported before.
var errTold = errors.New("told")

func (s *datagramSink) Close() error { return unix.Close(s.fd) }

// priority is that of syslog(3).
func (l level) priority() int {
	return [...]int{3, 4, 6, 7}[l]
}

// journalMessage is the native protocol of systemd-journald: a field with a line break in it has its
// length before the value.
func journalMessage(id string, l level, msg string, _ time.Time) []byte {
	b := fmt.Appendf(nil, "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\n", l.priority(), id)
	if !strings.Contains(msg, "\n") {
		return append(append(append(b, "MESSAGE="...), msg...), '\n')
	}
	b = append(b, "MESSAGE\n"...)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(msg)))
	return append(append(b, msg...), '\n')
}

// syslogMessage is the form of RFC 3164, in facility daemon.
func syslogMessage(id string, l level, msg string, at time.Time) []byte {
	const daemon = 3 << 3
	msg = strings.ReplaceAll(msg, "\n", " ")
	return fmt.Appendf(nil, "<%d>%s %s[%d]: %s", daemon|l.priority(), at.Format(time.Stamp), id, os.Getpid(), msg)
}
