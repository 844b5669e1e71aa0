package calls

import (
	"encoding/binary"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"tare/internal/step"
)

// Every kind of step that is lowered, in an order in which a plan may have them.
func everyKind() []step.Step {
	return []step.Step{
		&step.Barrier{Name: "awake"},
		&step.Setsid{},
		&step.Keyring{Name: "_ses.x", Label: "u:r:t"},
		&step.Loopback{},
		&step.SetPropagation{Path: "/", Flags: unix.MS_REC | unix.MS_SLAVE},
		&step.OpenRootfs{Path: "/b/rootfs", Parent: unix.MS_PRIVATE},
		&step.Mount{Target: "/proc", FSType: "proc", Source: "proc", Opts: step.MountNoSymlinks},
		&step.Mount{Target: "/tmp", FSType: "tmpfs", Source: "tmpfs", Set: unix.MS_RDONLY | unix.MS_NOSUID, Propagation: []uint32{unix.MS_SHARED}},
		&step.Mount{Target: "/dev/mqueue", FSType: "mqueue", Source: "mqueue", Label: "u:r:t"},
		&step.Mount{Type: step.MountBind, Target: "/a", Source: "/srv", Opts: step.MountRecursive | step.MountOptional | step.MountCopySymlink, RecSet: unix.MOUNT_ATTR_RDONLY},
		&step.Mount{Type: step.MountBind, Target: "/c", Tree: 1, IDMap: 2, Opts: step.MountKeepFlags, Set: unix.MS_NOEXEC},
		&step.Mount{Type: step.MountRemount, Target: "/tmp", Set: unix.MS_RDONLY},
		&step.Device{Path: "/dev/null", Type: unix.S_IFCHR, Major: 1, Minor: 3, Mode: 0o666},
		&step.Device{Path: "/dev/x", Type: unix.S_IFCHR, Major: 1, Minor: 5, Mode: 0o666, Bind: true, Source: "/dev/zero"},
		&step.Symlink{Path: "/dev/fd", Target: "/proc/self/fd"},
		&step.PivotRoot{},
		&step.ReadonlyRoot{},
		&step.Hostname{Name: "x"},
		&step.Domainname{Name: "y"},
		&step.Sysctl{Key: "net/ipv4/ip_forward", Value: "1"},
		&step.ReadonlyPath{Path: "/proc/bus"},
		&step.MaskPath{Path: "/proc/kcore"},
		&step.MaskPath{Path: "/sys/firmware"},
		&step.ExecLabel{LSM: "apparmor", Label: "p"},
		&step.Unshare{Flags: unix.CLONE_NEWCGROUP},
		&step.Affinity{},
		&step.IOPriority{Value: 1},
		&step.Personality{Persona: 8},
		&step.NoNewPrivs{},
		&step.BoundingCaps{Keep: 1},
		&step.Chdir{Dir: "/", Retry: true},
		&step.Barrier{Name: "limits"},
		&step.User{UID: 1, GID: 2, Groups: []uint32{3}, SetGroups: true, ChownStdio: true},
		&step.Caps{Permitted: 1, Effective: 1, Inheritable: 1, Ambient: 1},
		&step.FindExec{Name: "sh", Path: "/bin:/usr/bin:"},
		&step.WaitStart{Listener: 3},
		&step.PlaceFDs{},
		&step.Seccomp{Filter: make([]byte, 16)},
		&step.Exec{Args: []string{"sh", "-c"}, Env: []string{"A=b", "HOME="}, Home: true},
	}
}

func lowered(t *testing.T, steps []step.Step) *lowering {
	t.Helper()
	p := Lower(steps, 3, false)
	if p == nil {
		t.Fatal("nothing is lowered")
	}
	l := &lowering{}
	l.ops = unsafe.Slice((*op)(unsafe.Pointer(unsafe.SliceData(p.ops))), len(p.ops)/opSize)
	l.data = p.data
	l.top = binary.NativeEndian.Uint32(p.head[16:])
	for i := 0; i < len(p.relocs); i += 8 {
		l.relocs = append(l.relocs, [2]uint32{binary.NativeEndian.Uint32(p.relocs[i:]), binary.NativeEndian.Uint32(p.relocs[i+4:])})
	}
	return l
}

func TestEveryPlainStepIsLoweredToTheEnd(t *testing.T) {
	steps := everyKind()
	if n := Lower(steps, 3, false).Steps(); n != len(steps) {
		t.Errorf("%d of %d steps: it stops at %s", n, len(steps), step.Text(steps[n]))
	}
}

// The lane trusts the program: what it would follow blindly must be right.
func TestProgramsStayWithinTheirBounds(t *testing.T) {
	l := lowered(t, everyKind())
	last := -1
	for i, o := range l.ops {
		if to := i + 1 + int(o.jump); to > len(l.ops) {
			t.Errorf("op %d jumps to %d of %d", i, to, len(l.ops))
		}
		if o.dst >= slotTable-1 {
			t.Errorf("op %d writes slot %d", i, o.dst)
		}
		if o.code == 0 || o.code > opLeave {
			t.Errorf("op %d has code %d", i, o.code)
		}
		if o.code == opStep {
			if int(o.args[0]) != last+1 {
				t.Errorf("step %d comes after step %d", o.args[0], last)
			}
			last = int(o.args[0])
		}
		for k, v := range o.args {
			switch o.kinds >> (2 * k) & 3 {
			case kindData:
				if int(v) >= len(l.data) {
					t.Errorf("op %d points to data %d of %d", i, v, len(l.data))
				}
			case kindScratch:
				if v+8 > l.top {
					t.Errorf("op %d points to scratch %d of %d", i, v, l.top)
				}
			case kindSlot:
				if v >= 512 {
					t.Errorf("op %d reads slot %d", i, v)
				}
			}
		}
	}
	for _, r := range l.relocs {
		if int(r[0])+8 > len(l.data) {
			t.Errorf("a pointer at %d of %d", r[0], len(l.data))
		}
	}
}

// A slot that no op has filled holds the last step's descriptor, or none.
func TestStepsReadOnlySlotsThatTheyFill(t *testing.T) {
	l := lowered(t, everyKind())
	kept := map[uint32]bool{slotRoot: true, slotNull: true, slotEmpty: true, slotProc: true, slotPath: true, slotReport: true, slotMade: true}
	var filled map[uint32]bool
	for i, o := range l.ops {
		if o.code == opStep && i > 0 {
			before := filled
			filled = map[uint32]bool{}
			if len(before) > 0 && before[slotFree] { // the directory of a row of nodes and links
				filled[slotFree] = true
			}
		}
		if o.dst != 0 {
			if filled == nil {
				filled = map[uint32]bool{}
			}
			filled[uint32(o.dst)] = true
		}
		for k, v := range o.args {
			if o.kinds>>(2*k)&3 == kindSlot && v < slotTable && !kept[v] && !filled[v] {
				t.Errorf("op %d (code %d, call %d) reads slot %d, which nothing has filled", i, o.code, o.nr, v)
			}
		}
	}
}

// After the first call that changes what a repetition would meet, a step must be marked.
func TestMountsAreCommitted(t *testing.T) {
	l := lowered(t, everyKind())
	for i, o := range l.ops {
		if o.code == opCall && (o.nr == unix.SYS_MOVE_MOUNT || o.nr == unix.SYS_PIVOT_ROOT) && l.ops[i+1].code != opCommit {
			t.Errorf("op %d: no commit follows", i)
		}
	}
}

func TestWhatIsNotPlainIsLeftBeforeTheBarrier(t *testing.T) {
	exec := &step.Exec{Args: []string{"x"}}
	for name, c := range map[string]struct {
		steps []step.Step
		want  int
	}{
		"hook":             {[]step.Step{&step.Setsid{}, &step.Barrier{Name: "hooks"}, &step.Setsid{}, &step.Hook{}, exec}, 1},
		"no barrier":       {[]step.Step{&step.Setsid{}, &step.Hook{}, exec}, 1},
		"notify":           {[]step.Step{&step.Barrier{Name: "created"}, &step.Seccomp{Notify: true, Filter: make([]byte, 8)}, exec}, 0},
		"terminal":         {[]step.Step{&step.Setsid{}, &step.Console{}, exec}, 1},
		"NUL in an option": {[]step.Step{&step.FindExec{Name: "x\x00", Path: "/"}, exec}, 0},
		"copy-up":          {[]step.Step{&step.Mount{FSType: "tmpfs", Opts: step.MountCopyUp}, exec}, 0},
		"long option":      {[]step.Step{&step.Mount{FSType: "tmpfs", Data: []string{"k=" + strings.Repeat("x", 300)}}, exec}, 0},
	} {
		if got := Lower(c.steps, 0, false).Steps(); got != c.want {
			t.Errorf("%s: %d steps, want %d", name, got, c.want)
		}
	}
	if Lower([]step.Step{&step.PlaceFDs{FDs: []step.FD{1}}, exec}, 1, false) != nil {
		t.Error("descriptors that are inherited need the Go lane from the beginning")
	}
	if Lower([]step.Step{exec}, MaxTable+1, false) != nil {
		t.Error("the lane has no room for that many descriptors")
	}
}

// What has no room in an instruction must not be cut off: a rootfs hundreds of directories deep needs as many
// slots, a PATH of thousands of entries jumps too far.
func TestWhatHasNoRoomIsTheGoLanes(t *testing.T) {
	exec := &step.Exec{Args: []string{"x"}}
	for name, s := range map[string]step.Step{
		"deep rootfs": &step.OpenRootfs{Path: strings.Repeat("/d", 300), Parent: unix.MS_PRIVATE},
		"long PATH":   &step.FindExec{Name: "x", Path: strings.Repeat("/a:", 20000)},
	} {
		if p := Lower([]step.Step{s, exec}, 0, false); p != nil {
			t.Errorf("%s: %d steps are lowered", name, p.Steps())
		}
	}
	for name, s := range map[string]step.Step{
		"rootfs":     &step.OpenRootfs{Path: strings.Repeat("/d", 60), Parent: unix.MS_PRIVATE},
		"usual PATH": &step.FindExec{Name: "x", Path: "/bin:/usr/bin"},
	} {
		if Lower([]step.Step{s, exec}, 0, false).Steps() != 2 {
			t.Errorf("%s is not lowered", name)
		}
	}
}

// A failed execve is told by the lane: the place of errno in the prepared report must be right.
func TestErrnoStandsWhereTheLaneWritesIt(t *testing.T) {
	l := new(lowering)
	at := l.failure(&step.Report{Index: 3, Step: step.KindExec, At: "process.args[0]", Op: step.OpExecve, Value: "/bin/x"})
	b := l.data[at.v:]
	off := binary.NativeEndian.Uint64(b)
	b = b[8:]
	binary.LittleEndian.PutUint32(b[off:], uint32(unix.ENOEXEC))
	kind, size, ok := step.ParseHeader(b)
	r, err := step.DecodeReport(b[step.HeaderSize : step.HeaderSize+size])
	if !ok || kind != step.MsgFailure || err != nil || r.Errno != uint32(unix.ENOEXEC) || r.Value != "/bin/x" {
		t.Fatalf("%d %v %v %+v", kind, ok, err, r)
	}
	if r.Explain(); !strings.HasPrefix(r.Text, "exec /bin/x: exec format error") {
		t.Errorf("%q", r.Text)
	}
}

// The C side has the numbers a second time.
func TestNumbersAreThoseOfTheLane(t *testing.T) {
	raw, err := os.ReadFile("../../nsenter/lane.h")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	define := func(name string) uint64 {
		m := regexp.MustCompile(`#define ` + name + `\s+"?([^\s"]+?)u?"?[\s]`).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s is not defined", name)
		}
		v, err := strconv.ParseUint(m[1], 0, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, want := range map[string]uint64{"LANE_MAGIC": magic, "LANE_TABLE": slotTable, "LANE_VALUES": slotValues,
		"LANE_SLOTS": slotTable + MaxTable, "LANE_ANY_ERRNO": anyErrno} {
		if got := define(name); got != want {
			t.Errorf("%s is %d there and %d here", name, got, want)
		}
	}
	if !strings.Contains(text, `"`+step.ModeCalls+`"`) {
		t.Error("LANE_MODE differs")
	}
	ops := map[string]code{"CALL": opCall, "STEP": opStep, "COMMIT": opCommit, "CLOSE": opClose, "TEST": opTest, "SAME": opSame,
		"SET": opSet, "IF_OPEN": opIfOpen, "JUMP": opJump, "OR": opOr, "OCTAL": opOctal, "FD_PATH": opFDPath, "BARRIER": opBarrier,
		"WAIT": opWait, "HOME": opHome, "SEND": opSend, "RESET": opReset, "EXEC": opExec, "FAIL": opFail, "LEAVE": opLeave}
	for name, want := range ops {
		if got := enumerator(t, text, "LANE_"+name); got != int(want) {
			t.Errorf("LANE_%s is %d there and %d here", name, got, want)
		}
	}
	for name, want := range map[string]int{"ROOT": slotRoot, "NULL": slotNull, "EMPTY": slotEmpty, "NUMBER": kindNumber, "DATA": kindData,
		"SLOT": kindSlot, "SCRATCH": kindScratch, "MSG_FDS": int(step.MsgFDs), "MSG_PLAN": int(step.MsgPlan), "MSG_GO": int(step.MsgGo),
		"MSG_LOG": int(step.MsgLog)} {
		if got := enumerator(t, text, "LANE_"+name); got != want {
			t.Errorf("LANE_%s is %d there and %d here", name, got, want)
		}
	}
	if unsafe.Sizeof(op{}) != opSize || unsafe.Offsetof(op{}.errs) != 8 || unsafe.Offsetof(op{}.args) != 16 {
		t.Error("op is laid out otherwise than struct lane_op")
	}
}

// enumerator counts the place of a name in its enum, from the number that the first one has.
func enumerator(t *testing.T, text, name string) int {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?s)enum \{(.*?)\}`).FindAllStringSubmatch(text, -1) {
		n := 0
		for part := range strings.SplitSeq(m[1], ",") {
			id, value, given := strings.Cut(strings.TrimSpace(part), " = ")
			if given {
				n, _ = strconv.Atoi(value)
			}
			if id == name {
				return n
			}
			n++
		}
	}
	t.Fatalf("%s is not there", name)
	return 0
}
