package cli

import (
	"reflect"
	"testing"
)

func TestFilterPS(t *testing.T) {
	t.Parallel()
	table := "UID        PID  PPID CMD\nroot         1     0 /sbin/init\nroot        42     1 sh -c 1 7\nbin          7    42 ls\n"
	got, err := filterPS(table, []int{7, 42})
	if want := "UID        PID  PPID CMD\nroot        42     1 sh -c 1 7\nbin          7    42 ls\n"; err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := filterPS(table, nil); err != nil || got != "UID        PID  PPID CMD\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"", "UID CMD\nroot x\n", "CMD PID\nx\n", "PID\nx\n"} {
		if got, err := filterPS(bad, []int{1}); err == nil {
			t.Errorf("%q gave %q", bad, got)
		}
	}
}

func TestPSArgs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want []string }{
		{nil, []string{"-ef"}},
		{[]string{""}, []string{"-ef"}},
		{[]string{"aux"}, []string{"aux"}},
		{[]string{"-o pid,comm  -e"}, []string{"-o", "pid,comm", "-e"}},
		{[]string{"-o", "pid, comm"}, []string{"-o", "pid, comm"}},
	} {
		if got := psArgs(tt.in); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %q; want %q", tt.in, got, tt.want)
		}
	}
}
