package initstage_test

import (
	"encoding/json"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"tare/internal/initstage"
	"tare/internal/step"
	"tare/internal/sys"
)

// The test binary plays three parts: the tests themselves; the init stage, when it is started with
// step.InitName; and the container's program, which prints what it finds inside.
func TestMain(m *testing.M) {
	switch os.Args[0] {
	case step.InitName:
		sys.CloseRange(step.SocketFD+1, ^uint(0)>>32, 0) // as the door does
		var nofile [2]uint64
		if s := os.Getenv("TEST_NOFILE"); s != "" {
			soft, hard, _ := strings.Cut(s, ":")
			nofile[0], _ = strconv.ParseUint(soft, 10, 64)
			nofile[1], _ = strconv.ParseUint(hard, 10, 64)
		}
		if s := os.Getenv("TEST_UMASK"); s != "" {
			mask, _ := strconv.ParseUint(s, 8, 32)
			syscall.Umask(int(mask))
		}
		runtime.LockOSThread()
		initstage.Main(step.SocketFD, nofile)
	case "probe", "/bin/probe", "./probe":
		probe()
	}
	os.Exit(m.Run())
}

// seen is what the program inside finds.
type seen struct {
	PID, UID, GID, SID int
	Groups             []int
	Args, Env          []string
	Cwd, Hostname      string
	Umask              string
	Status             map[string]string
	Mounts             []mountLine
	FDs                map[string]string
	Stat               map[string]statLine
	Nofile             syscall.Rlimit
	Limits             string
	Read               map[string]string
	Winsize            string
	Sched              [3]int
	Wrote              map[string]string
}

type mountLine struct{ Dev, Root, Point, Opts, Prop, Type, Source, Super string }

type statLine struct {
	Mode, UID, GID uint32
	Rdev           uint64
	Link, Err      string
}

func probe() {
	s := seen{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(), Args: os.Args, Env: os.Environ(),
		Status: map[string]string{}, FDs: map[string]string{}, Stat: map[string]statLine{}, Read: map[string]string{},
		Wrote: map[string]string{}}
	s.Groups, _ = os.Getgroups()
	s.Cwd, _ = syscall.Getwd()
	s.Hostname, _ = os.Hostname()
	sid, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	s.SID = int(sid)
	if errno != 0 {
		s.SID = -int(errno)
	}
	status, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(status), "\n") {
		k, v, _ := strings.Cut(l, ":")
		s.Status[k] = strings.TrimSpace(v)
	}
	limits, _ := os.ReadFile("/proc/self/limits")
	s.Limits = string(limits)
	info, _ := os.ReadFile("/proc/self/mountinfo")
	s.Mounts = parseMounts(string(info))
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, f := range fds {
		s.FDs[f.Name()], _ = os.Readlink("/proc/self/fd/" + f.Name())
	}
	for _, arg := range os.Args[1:] {
		verb, path, _ := strings.Cut(arg, "=")
		switch verb {
		case "stat":
			s.Stat[path] = statOf(path)
		case "read":
			b, err := os.ReadFile(path)
			s.Read[path] = string(b)
			if err != nil {
				s.Read[path] = err.Error()
			}
		case "write":
			err := os.WriteFile(path, []byte("x"), 0o644)
			s.Wrote[path] = "ok"
			if err != nil {
				s.Wrote[path] = err.Error()
			}
		case "list":
			ents, _ := os.ReadDir(path)
			for _, e := range ents {
				s.Read[path] += e.Name() + " "
			}
		case "readfd":
			n, _ := strconv.Atoi(path)
			b := make([]byte, 100)
			k, err := syscall.Read(n, b)
			s.Read[arg] = string(b[:max(k, 0)])
			if err != nil {
				s.Read[arg] = err.Error()
			}
		case "mtime":
			if fi, err := os.Stat(path); err == nil {
				s.Read[arg] = strconv.FormatInt(fi.ModTime().Unix(), 10)
			}
		case "zombies":
			s.Read[arg] = zombies()
		case "tty":
			s.Winsize = ttyFacts()
		case "sched":
			s.Sched = sched()
		case "exit":
			n, _ := strconv.Atoi(path)
			defer os.Exit(n)
		}
	}
	json.NewEncoder(os.Stdout).Encode(s)
	os.Exit(0)
}

// zombies gives the names of dead processes that nobody has waited for.
func zombies() (names string) {
	ents, _ := os.ReadDir("/proc")
	for _, e := range ents {
		b, _ := os.ReadFile("/proc/" + e.Name() + "/status")
		if strings.Contains(string(b), "State:\tZ") {
			name, _, _ := strings.Cut(string(b), "\n")
			names += name
		}
	}
	return names
}

func statOf(path string) statLine {
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		return statLine{Err: err.Error()}
	}
	link, _ := os.Readlink(path)
	return statLine{Mode: uint32(st.Mode), UID: st.Uid, GID: st.Gid, Rdev: uint64(st.Rdev), Link: link}
}

func parseMounts(text string) (list []mountLine) {
	for _, l := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(l)
		if len(f) < 9 {
			continue
		}
		m := mountLine{Dev: f[2], Root: f[3], Point: f[4], Opts: f[5]}
		i := 6
		for ; f[i] != "-"; i++ {
			m.Prop += f[i] + " "
		}
		m.Type, m.Source, m.Super = f[i+1], f[i+2], f[i+3]
		list = append(list, m)
	}
	return list
}

// mount gives the last mount at a point.
func (s *seen) mount(point string) (m mountLine, ok bool) {
	for _, l := range s.Mounts {
		if l.Point == point {
			m, ok = l, true
		}
	}
	return m, ok
}
