package cli

import "testing"

func TestParseSignal(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		"9": 9, "KILL": 9, "SIGKILL": 9, "kill": 9, "sigKill": 9, "TERM": 15, "0": 0, "64": 64, "WINCH": 28,
		"IOT": 6, "SIGABRT": 6, "POLL": 29, "IO": 29, "CLD": 17, "SIGCHLD": 17,
		"RTMIN": 34, "SIGRTMIN+3": 37, "rtmin+30": 64, "RTMAX": 64, "SIGRTMAX-1": 63, "RTMAX-30": 34,
	} {
		if got, err := parseSignal(in); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "SIG", "FOO", "SIGSIGKILL", "-9", "65", "9x", "RTMIN-1", "RTMIN+31", "RTMAX+1", "RTMAX-31", "RTMIN+", "RTMIN++1", "RTMIN+-1", "99999999999999999999"} {
		got, err := parseSignal(in)
		if err == nil || err.Error() != `unknown signal "`+in+`"` {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
}
