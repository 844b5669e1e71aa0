package libcontainer

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/internal/launch"
	"tare/internal/step"
)

// joiner is a manager whose Join gives err.
type joiner struct {
	cgroups.None
	err    error
	joined int
}

func (j *joiner) Join(int, cgroups.Phase) error {
	j.joined++
	return j.err
}

func TestExecFollowsAnInitThatIsMovedWhileItJoins(t *testing.T) {
	t.Parallel()
	gone := &joiner{err: fmt.Errorf("cgroup %q: %w", "/c", unix.ENODEV)}
	for name, row := range map[string]struct {
		after   []*joiner // what follow finds, one after the other
		wantErr error
	}{
		"once":          {[]*joiner{{}}, nil},
		"twice":         {[]*joiner{gone, {}}, nil},
		"for ever":      {[]*joiner{gone, gone, gone, {}}, unix.ENODEV},
		"then an error": {[]*joiner{{err: unix.EPERM}, {}}, unix.EPERM},
	} {
		follows := 0
		d := &driver{joinTo: gone, exec: true, child: &launch.Child{Pid: 1}, follow: func() (cgroups.Manager, error) {
			follows++
			return row.after[follows-1], nil
		}}
		if err := d.join(t.Context(), &step.CgroupJoin{}); !errors.Is(err, row.wantErr) {
			t.Errorf("%s: %v", name, err)
		}
		if last := row.after[len(row.after)-1]; (last.joined > 0) != (row.wantErr == nil) {
			t.Errorf("%s: joined %d times", name, last.joined)
		}
	}
	d := &driver{joinTo: gone, exec: true, child: &launch.Child{Pid: 1}}
	if err := d.join(t.Context(), &step.CgroupJoin{}); !errors.Is(err, unix.ENODEV) {
		t.Errorf("a cgroup that was asked for: %v", err)
	}
}
