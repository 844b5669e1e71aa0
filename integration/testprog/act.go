package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"tare/integration/report"
)

// hold says "ready", then the name of every signal that arrives. TERM ends it with status 0 unless "ignore-term" is
// given; "print=TEXT" is said first; "children=N" starts N sleeping children.
func hold(args []string) {
	ch := make(chan os.Signal, 64)
	signal.Notify(ch)
	ignoreTerm := false
	for _, a := range args {
		key, val, _ := strings.Cut(a, "=")
		switch key {
		case "ignore-term":
			ignoreTerm = true
		case "print":
			fmt.Println(val)
		case "children":
			for range number(val) {
				must(exec.Command("/proc/self/exe", "hold").Start())
			}
		default:
			fatal("hold: unknown " + a)
		}
	}
	fmt.Println("ready")
	for sig := range ch {
		s := sig.(syscall.Signal)
		if s == unix.SIGURG || s == unix.SIGCHLD { // the Go runtime's own, and children's
			continue
		}
		fmt.Printf("got %s\n", sigName(s))
		if s == unix.SIGTERM && !ignoreTerm {
			os.Exit(0)
		}
	}
}

func sigName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return fmt.Sprintf("SIG%d", int(s))
}

// hook appends a report.Hook to the file named first; then: "exit=N", "sleep" (until killed), "say=TEXT" (stderr),
// "tag=T", "nostdin" (do not read stdin), "touch=FILE", "wait=FILE" (until it exists).
func hook(args []string) {
	if len(args) == 0 {
		fatal("hook FILE [ACTION...]")
	}
	h := report.Hook{Args: os.Args, Env: os.Environ(), PID: os.Getpid(), NS: nsLinks("self"), FDs: ownFDs}
	h.Cwd, _ = unix.Getwd()
	nostdin := false
	for _, a := range args[1:] {
		nostdin = nostdin || a == "nostdin"
		if tag, ok := strings.CutPrefix(a, "tag="); ok {
			h.Tag = tag
		}
	}
	if !nostdin {
		data, _ := io.ReadAll(os.Stdin)
		h.State = string(data)
		var st struct{ PID int }
		json.Unmarshal(data, &st)
		if st.PID > 0 {
			pid := fmt.Sprint(st.PID)
			h.InitNS = nsLinks(pid)
			h.Exe, _ = os.Readlink("/proc/" + pid + "/exe")
			for _, line := range lines("/proc/" + pid + "/status") {
				if s, ok := strings.CutPrefix(line, "State:"); ok {
					h.Status = strings.TrimSpace(s)
				}
			}
		}
	}
	names, _ := os.ReadDir("/")
	for _, n := range names {
		h.Root = append(h.Root, n.Name())
	}
	line, err := json.Marshal(h)
	must(err)
	file, err := os.OpenFile(args[0], os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	must(err)
	_, err = file.Write(append(line, '\n'))
	must(err)
	must(file.Close())
	for _, a := range args[1:] {
		hookAction(a)
	}
}

func hookAction(a string) {
	key, val, _ := strings.Cut(a, "=")
	switch key {
	case "exit":
		os.Exit(number(val))
	case "say":
		fmt.Fprintln(os.Stderr, val)
	case "touch":
		must(os.WriteFile(val, nil, 0o644))
	case "wait":
		waitFor(val)
	case "sleep":
		time.Sleep(time.Hour)
	}
}

func waitFor(path string) {
	for range 3000 {
		if _, err := os.Lstat(path); err == nil {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	fatal("no " + path)
}

// notify sends each argument as one datagram to NOTIFY_SOCKET, says "sent", and holds.
func notify(args []string) {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: os.Getenv("NOTIFY_SOCKET"), Net: "unixgram"})
	must(err)
	for _, a := range args {
		_, err = conn.Write([]byte(a))
		must(err)
	}
	fmt.Println("sent")
	hold(nil)
}

// spawn starts COUNT children that only sleep, says how many there are (an error names the one that failed), and exits
// with 1 on an error; "keep" holds afterwards, "setsid" puts each in a session of its own.
func spawn(args []string) {
	keep, setsid := false, false
	for _, a := range args[1:] {
		keep, setsid = keep || a == "keep", setsid || a == "setsid"
	}
	for i := range number(args[0]) {
		cmd := exec.Command("/bin/sleep", "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: setsid}
		if err := cmd.Start(); err != nil {
			fmt.Printf("%d %s\n", i, errName(err))
			os.Exit(1)
		}
	}
	fmt.Println("spawned", args[0])
	if keep {
		hold(nil)
	}
}

// alloc touches MIB mebibytes and says "allocated".
func alloc(args []string) {
	mem := make([]byte, number(args[0])<<20)
	for i := 0; i < len(mem); i += 4096 {
		mem[i] = 1
	}
	fmt.Println("allocated", len(mem)>>20)
}

// exit ends with STATUS, or by the signal given as sig=N.
func exit(args []string) {
	if n, ok := strings.CutPrefix(args[0], "sig="); ok {
		signal.Reset()
		unix.Kill(os.Getpid(), unix.Signal(number(n)))
		time.Sleep(time.Hour)
	}
	os.Exit(number(args[0]))
}

// raceSwap exchanges A and B without end (an attacker that shares the directory).
func raceSwap(args []string) {
	fmt.Println("ready")
	for {
		unix.Renameat2(unix.AT_FDCWD, args[0], unix.AT_FDCWD, args[1], unix.RENAME_EXCHANGE)
	}
}

// zombies runs a command as a subreaper that never reaps what falls to it, says "held" when the command is done, and
// stays.
func zombies(args []string) {
	must(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	must(cmd.Run())
	fmt.Println("held")
	time.Sleep(time.Hour)
}
