package step

// The socket between host and init is a SOCK_STREAM pair, descriptor 3 in the init. A message is a
// header of eight bytes, kind and length of the payload (both 32 bits little-endian), and the
// payload. Descriptors travel by SCM_RIGHTS with the first byte of a header.
//
//	host                             init
//	MsgFDs (≤ MaxFDs each) …   ──▶
//	MsgPlan                    ──▶   decodes, carries out
//	                           ◀──   MsgLog, MsgWarning, MsgFD (any number, any time)
//	                           ◀──   MsgArrived "name"
//	MsgGo "name"               ──▶   … the same for each barrier
//	                           ◀──   end of file: execve done (exec), or waiting for start (create)
//	                           ◀──   MsgFailure: the init gives up and exits
//
// The start command's connection carries MsgGo from the client, and from the init MsgFailure or
// the end of file. End of file from the host at any time before the last barrier ends the init.
const (
	MsgFDs uint32 = iota + 1
	MsgPlan
	MsgGo
	MsgArrived
	MsgFailure
	MsgWarning
	MsgLog
	MsgFD
)

// ArrivedExec is the name with which the init says, right before execve, that nothing of its own is left
// to be done: an end of file without it is a death.
const ArrivedExec = "exec"

// SocketFD is where the init finds the socket.
const SocketFD = 3

// MaxFDs is how many descriptors one message carries (the kernel's SCM_MAX_FD is 253).
const MaxFDs = 250

// MaxMessage bounds a payload: a plan is as large as its config.json at most, plus the filter.
const MaxMessage = 64 << 20

// InitName is argv[0] of the init stage. argv[1] is ModeGo or ModeDoor; a second argument ModeCalls says
// that the plan comes with a program for the fast lane.
const (
	InitName  = "tare-init"
	ModeGo    = "go"
	ModeDoor  = "door"
	ModeCalls = "calls"
)

// OpExecve in a Report of the fast lane: execve of Value failed. Who receives it finds the words.
const OpExecve = "execve"

// The roles of a descriptor that the init sends up with MsgFD (payload: one byte).
const (
	RoleConsole byte = iota + 1
	RoleSeccomp
)

// HeaderSize is the length of a message header.
const HeaderSize = 8

// AppendHeader appends the header of a message.
func AppendHeader(b []byte, kind uint32, size int) []byte {
	return appendU32(appendU32(b, kind), uint32(size))
}

// ParseHeader reads a header of HeaderSize bytes. ok is false for an impossible one.
func ParseHeader(b []byte) (kind uint32, size int, ok bool) {
	if len(b) < HeaderSize {
		return 0, 0, false
	}
	kind, n := getU32(b), getU32(b[4:])
	return kind, int(n), kind >= MsgFDs && kind <= MsgFD && n <= MaxMessage
}

// Request is the payload of MsgPlan: a flag, the length of the program for the fast lane, the program, the
// steps.
type Request struct {
	Debug bool // send a MsgLog before each step
	Steps []Step
}

// Encode gives the binary form of the request in two parts: between them stands the program, of calls bytes.
func (r *Request) Encode(calls int) (head, steps []byte) {
	h := &encoder{}
	h.flag("", &r.Debug)
	h.num(calls)
	e := &encoder{b: make([]byte, 0, 8192)}
	e.stepList(r.Steps)
	return h.b, e.b
}

// DecodeRequest reads the payload of MsgPlan.
func DecodeRequest(b []byte) (*Request, error) {
	d := &decoder{b: b}
	r := new(Request)
	d.flag("", &r.Debug)
	d.take(d.count(1)) // the fast lane has read its program
	r.Steps = d.stepList()
	if d.bad || len(d.b) != 0 {
		return nil, ErrCodec
	}
	return r, nil
}

// Report is the payload of MsgFailure, MsgWarning and MsgLog: which step, and what the kernel said.
type Report struct {
	Index uint32 // of the step in the list, from 0
	Step  Kind
	At    string // config path
	Op    string // system call or operation: "mount_setattr"
	Value string // what it was applied to
	Errno uint32 // 0: none, Text says it all
	Text  string // further detail: a hook's output, a hint
	Nanos int64  // CLOCK_REALTIME, for MsgLog
}

func (r *Report) walk(w walker) {
	w.u32("", &r.Index)
	k := uint32(r.Step)
	w.u32("", &k)
	r.Step = Kind(k)
	w.str("", &r.At)
	w.str("", &r.Op)
	w.str("", &r.Value)
	w.u32("", &r.Errno)
	w.str("", &r.Text)
	w.i64("", &r.Nanos)
}

// Encode gives the binary form of the report.
func (r *Report) Encode() []byte {
	e := &encoder{}
	r.walk(e)
	return e.b
}

// ErrnoOffset is where Errno stands in the binary form.
func (r *Report) ErrnoOffset() int { return 4 + 4 + 4 + len(r.At) + 4 + len(r.Op) + 4 + len(r.Value) }

// DecodeReport reads what Encode has written.
func DecodeReport(b []byte) (*Report, error) {
	d := &decoder{b: b}
	r := new(Report)
	r.walk(d)
	if d.bad || len(d.b) != 0 {
		return nil, ErrCodec
	}
	return r, nil
}
