package devices

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

const at = "linux.resources.devices"

// Attach makes p the device policy of the cgroup2 directory dir: its program
// replaces, in one step, the one that an earlier Attach has left there, unless
// that is the same already. Programs of others stay, and both must allow. For a
// policy that allows all none is attached.
func (p *Policy) Attach(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("%s: open %q: %w", at, dir, err)
	}
	defer unix.Close(fd)
	var prog []insn
	if !p.AllowsAll() {
		prog = p.program()
	}
	same, old, err := ownPrograms(fd, prog)
	if err != nil {
		return fmt.Errorf("%s: cgroup %q: %w", at, dir, err)
	}
	defer closeAll(append(same, old...))
	if len(same) > 0 {
		prog, old = nil, append(same[1:], old...)
	}
	if err := attachTo(fd, prog, old); err != nil {
		return fmt.Errorf("%s: cgroup %q: %w", at, dir, err)
	}
	return nil
}

// attachTo attaches prog, if there is any, and no more of old stays.
func attachTo(cgroup int, prog []insn, old []int) error {
	if len(prog) > 0 {
		loaded, err := loadProgram(prog)
		if err != nil {
			return err
		}
		defer unix.Close(loaded)
		replace := -1
		if len(old) > 0 {
			replace, old = old[0], old[1:]
		}
		if err := attach(cgroup, loaded, replace); err != nil {
			return err
		}
	}
	for _, fd := range old {
		if err := detach(cgroup, fd); err != nil {
			return err
		}
	}
	return nil
}

// ownPrograms opens the programs that this package has attached to the
// cgroup: those that are prog, and the old ones. Those that may not be opened
// are others'.
func ownPrograms(cgroup int, prog []insn) (same, old []int, err error) {
	ids, err := attachedIDs(cgroup)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range ids {
		fd, name, is, err := openProgram(id, prog)
		switch {
		case err == nil && name != programName:
			unix.Close(fd)
		case err == nil && is:
			same = append(same, fd)
		case err == nil:
			old = append(old, fd)
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOENT): // ENOENT: gone since
		default:
			closeAll(append(same, old...))
			return nil, nil, err
		}
	}
	return same, old, nil
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
