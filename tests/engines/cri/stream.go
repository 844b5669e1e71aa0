package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/net/websocket"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// The channels of a stream: the first byte of each frame.
const (
	channelStdin byte = iota
	channelStdout
	channelStderr
	channelError
	channelResize
)

func streamCases() []suiteCase {
	return []suiteCase{
		{"stream_exec", "streamed exec (kubectl exec): output, errors, status", true, streamExec},
		{"stream_tty", "streamed exec with a terminal (kubectl exec -it): input, size", true, streamTTY},
		{"stream_attach", "streamed attach (kubectl attach -i): input and output", false, streamAttach},
	}
}

// stream is a connection to the engine's streaming server, as kubectl's is through the API server.
type stream struct {
	l    *lab
	conn *websocket.Conn
	mu   sync.Mutex
	got  map[byte]*bytes.Buffer
	end  chan struct{}
}

func (l *lab) stream(url string) *stream {
	c, err := websocket.NewConfig("ws"+strings.TrimPrefix(url, "http"), "http://localhost/")
	l.ok("url", err)
	c.Protocol = []string{"v4.channel.k8s.io"}
	conn, err := websocket.DialConfig(c)
	l.ok("dial", err)
	s := &stream{l: l, conn: conn, got: map[byte]*bytes.Buffer{}, end: make(chan struct{})}
	go s.read()
	return s
}

func (s *stream) read() {
	defer close(s.end)
	for {
		var frame []byte
		if err := websocket.Message.Receive(s.conn, &frame); err != nil || len(frame) == 0 {
			return
		}
		s.mu.Lock()
		b := s.got[frame[0]]
		if b == nil {
			b = new(bytes.Buffer)
			s.got[frame[0]] = b
		}
		b.Write(frame[1:])
		s.mu.Unlock()
	}
}

func (s *stream) text(channel byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.got[channel]; b != nil {
		return b.String()
	}
	return ""
}

func (s *stream) send(channel byte, text string) {
	s.l.ok("send", websocket.Message.Send(s.conn, append([]byte{channel}, text...)))
}

func (s *stream) size(rows, cols int) {
	s.send(channelResize, fmt.Sprintf(`{"Width": %d, "Height": %d}`, cols, rows))
}

// until waits for a text on a channel.
func (s *stream) until(channel byte, want string) {
	s.l.soon(fmt.Sprintf("%q on channel %d", want, channel), func() bool { return strings.Contains(s.text(channel), want) })
}

func streamExec(l *lab) {
	id := l.run(l.pod(), "main", forever())
	r, err := l.rt.Exec(l.ctx, &cri.ExecRequest{ContainerId: id, Cmd: shell("echo out; echo err >&2; exit 6"), Stdout: true, Stderr: true})
	l.ok("Exec", err)
	s := l.stream(r.Url)
	<-s.end
	eq(l, "stdout", s.text(channelStdout), "out\n")
	eq(l, "stderr", s.text(channelStderr), "err\n")
	s.until(channelError, `"message":"6"`)
}

func streamTTY(l *lab) {
	id := l.run(l.pod(), "main", forever())
	r, err := l.rt.Exec(l.ctx, &cri.ExecRequest{ContainerId: id, Cmd: []string{"sh"}, Stdin: true, Stdout: true, Tty: true})
	l.ok("Exec", err)
	s := l.stream(r.Url)
	s.size(33, 99)
	s.send(channelStdin, "until stty size | grep '33 99'; do sleep 0.1; done; tty; echo to''gether\n")
	s.until(channelStdout, "together")
	if got := s.text(channelStdout); !strings.Contains(got, "/dev/pts/") {
		l.fatalf("no terminal: %s", got)
	}
	s.send(channelStdin, "exit 4\n")
	<-s.end
	s.until(channelError, `"message":"4"`)
}

func streamAttach(l *lab) {
	id := l.run(l.pod(), "main", shell("while read x; do echo \"got $x\"; [ $x = end ] && exit 3; done"), func(c *cri.ContainerConfig) { c.Stdin, c.StdinOnce = true, true })
	r, err := l.rt.Attach(l.ctx, &cri.AttachRequest{ContainerId: id, Stdin: true, Stdout: true})
	l.ok("Attach", err)
	s := l.stream(r.Url)
	s.send(channelStdin, "word\n")
	s.until(channelStdout, "got word")
	s.send(channelStdin, "end\n")
	eq(l, "exit code", l.ended(id).ExitCode, 3)
}
