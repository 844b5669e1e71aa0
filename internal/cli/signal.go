package cli

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The real-time signals as the C library numbers them for programs.
const (
	sigRTMin = 34
	sigRTMax = 64
)

// parseSignal reads a signal: a number, or a name in any case, with or without SIG; real-time signals
// also as RTMIN+n and RTMAX-n.
func parseSignal(s string) (int, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n < 0 || n > sigRTMax {
			return 0, fmt.Errorf("unknown signal %q", s)
		}
		return n, nil
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if n, ok := realTime(name); ok {
		return n, nil
	}
	switch name {
	case "IOT":
		name = "ABRT"
	case "POLL":
		name = "IO"
	case "CLD":
		name = "CHLD"
	}
	if n := unix.SignalNum("SIG" + name); n != 0 {
		return int(n), nil
	}
	return 0, fmt.Errorf("unknown signal %q", s)
}

func realTime(name string) (int, bool) {
	base := sigRTMin
	rest, ok := strings.CutPrefix(name, "RTMIN")
	sign := "+"
	if !ok {
		if rest, ok = strings.CutPrefix(name, "RTMAX"); !ok {
			return 0, false
		}
		base, sign = sigRTMax, "-"
	}
	if rest == "" {
		return base, true
	}
	digits, ok := strings.CutPrefix(rest, sign)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 8)
	if err != nil || n > sigRTMax-sigRTMin {
		return 0, false
	}
	if sign == "-" {
		return base - int(n), true
	}
	return base + int(n), true
}
