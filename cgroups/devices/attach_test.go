package devices

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// The same rules again leave the program that is there: it has a number of its own for its whole life.
func TestAttachComparesBeforeItLoads(t *testing.T) {
	dir := scratch(t, "")
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd := int(f.Fd())
	ids := func() []uint32 {
		t.Helper()
		list, err := attachedIDs(fd)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	attached := func(rules ...Rule) []uint32 {
		t.Helper()
		if err := New(append(rules, builtin()...)).Attach(dir); err != nil {
			t.Fatal(err)
		}
		return ids()
	}
	if len(ids()) != 0 {
		t.Fatalf("a new cgroup has %v", ids())
	}
	fuse, kvm := Rule{true, Char, 10, 229, Read | Write}, Rule{true, Char, 10, 232, Full}
	deny := Rule{false, Char, 1, 9, Write}
	all := Rule{true, All, Any, Any, Full}
	for _, rules := range [][]Rule{nil, {fuse}, {fuse, kvm}, {fuse, kvm, deny}, {all, deny, {false, Char, 1, 11, Read | Write}}} {
		first := attached(rules...)
		if len(first) != 1 {
			t.Fatalf("%v: programs %v", rules, first)
		}
		if again := attached(rules...); !slices.Equal(again, first) {
			t.Errorf("%v: program %v became %v", rules, first, again)
		}
		if other := attached(Rule{true, Block, 8, 0, Read}); len(other) != 1 || slices.Equal(other, first) {
			t.Errorf("%v: other rules leave program %v: %v", rules, first, other)
		}
	}
	// Two of them, as a process that is killed in between would leave.
	same := New(builtin())
	extra, err := loadProgram(same.program())
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(extra)
	if err := attach(fd, extra, -1); err != nil {
		t.Fatal(err)
	}
	if two := ids(); len(two) != 2 {
		t.Fatalf("programs %v", two)
	}
	if left := attached(); len(left) != 1 {
		t.Errorf("programs %v", left)
	}
	if left := attached(all); len(left) != 0 {
		t.Errorf("programs %v where all is allowed", left)
	}
}
