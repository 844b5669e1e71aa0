package main

import (
	"golang.org/x/sys/unix"

	"tare/integration/report"
)

func ttyFacts() report.TTY {
	var t report.TTY
	for fd := range 3 {
		termios, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		t.IsTTY[fd] = err == nil
		t.Name[fd] = ownFDs[fd]
		if fd == 0 && err == nil {
			t.ONLCR = termios.Oflag&unix.ONLCR != 0
		}
	}
	if ws, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ); err == nil {
		t.Rows, t.Cols = int(ws.Row), int(ws.Col)
	}
	sid, err := unix.IoctlGetInt(0, unix.TIOCGSID)
	own, _ := unix.Getsid(0)
	t.Controls = err == nil && sid == own
	pgrp, err := unix.IoctlGetInt(0, unix.TIOCGPGRP)
	t.Foreground = err == nil && pgrp == unix.Getpgrp()
	t.Console = statOne("/dev/console")
	return t
}
