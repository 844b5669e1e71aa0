package seccomp

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestJumpsReach checks both kinds of conditional jump around the distance
// where an instruction's 8 bits end.
func TestJumpsReach(t *testing.T) {
	t.Parallel()
	const hit, miss = unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_KILL_PROCESS
	for _, between := range []int{0, 1, 253, 254, 255, 256, 257, 600} {
		for _, unless := range []bool{false, true} {
			var a assembler
			target := a.newLabel()
			a.load(dataNumber)
			if unless {
				a.jumpUnless(opEqual, 7, target)
			} else {
				a.jumpIf(opEqual, 7, target)
			}
			for range between {
				a.ret(miss)
			}
			a.place(target)
			a.ret(hit)
			prog := a.finish()
			if err := check(prog); err != nil {
				t.Fatal(err)
			}
			for nr, equal := range map[uint32]bool{7: true, 8: false} {
				want := uint32(miss)
				if equal != unless || between == 0 {
					want = hit
				}
				if got := verdict(t, prog, call{nr: nr}); got != want {
					t.Errorf("%d between, unless %v, number %d: %#x, want %#x", between, unless, nr, got, want)
				}
			}
		}
	}
}
