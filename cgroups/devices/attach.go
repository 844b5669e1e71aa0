package devices

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const at = "linux.resources.devices"

// Attach makes p the device policy of the cgroup2 directory dir: its program
// replaces, in one step, the one that an earlier Attach has left there.
// Programs of others stay, and both must allow. For a policy that allows all
// none is attached.
func (p *Policy) Attach(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("%s: open %q: %w", at, dir, err)
	}
	defer unix.Close(fd)
	old, err := ownPrograms(fd)
	if err != nil {
		return fmt.Errorf("%s: cgroup %q: %w", at, dir, err)
	}
	defer closeAll(old)
	if err := p.attachTo(fd, old); err != nil {
		return fmt.Errorf("%s: cgroup %q: %w", at, dir, err)
	}
	return nil
}

func (p *Policy) attachTo(cgroup int, old []int) error {
	if !p.AllowsAll() {
		prog, err := loadProgram(p.program())
		if err != nil {
			return err
		}
		defer unix.Close(prog)
		replace := -1
		if len(old) > 0 {
			replace, old = old[0], old[1:]
		}
		if err := attach(cgroup, prog, replace); err != nil {
			return err
		}
	}
	for _, prog := range old {
		if err := detach(cgroup, prog); err != nil {
			return err
		}
	}
	return nil
}

// ownPrograms opens the programs that this package has attached to the
// cgroup. Those that may not be opened are others'.
func ownPrograms(cgroup int) ([]int, error) {
	ids, err := attachedIDs(cgroup)
	if err != nil {
		return nil, err
	}
	var own []int
	for _, id := range ids {
		fd, name, err := openProgram(id)
		switch {
		case err == nil && name == programName:
			own = append(own, fd)
		case err == nil:
			unix.Close(fd)
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOENT): // ENOENT: gone since
		default:
			closeAll(own)
			return nil, err
		}
	}
	return own, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// Tolerate turns an EPERM into a warning for a caller without privilege.
func Tolerate(err error, rootless bool) (warnings []string, _ error) {
	if err != nil && rootless && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)) {
		return []string{err.Error() + " (device rules need privilege; ignored)"}, nil
	}
	return nil, err
}
