package facts

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/plan"
)

// The namespaces that an exec enters, those first that the mount namespace would hide.
var execOrder = [...]uint64{
	unix.CLONE_NEWUSER, unix.CLONE_NEWIPC, unix.CLONE_NEWUTS, unix.CLONE_NEWNET, unix.CLONE_NEWPID,
	unix.CLONE_NEWCGROUP, unix.CLONE_NEWTIME, unix.CLONE_NEWNS,
}

// GatherExec finds out in which namespaces the process pid differs from this one.
func GatherExec(n plan.Needs, pid int) (*plan.ExecFacts, error) {
	base, err := Gather(n)
	if err != nil {
		return nil, err
	}
	f := &plan.ExecFacts{Facts: *base}
	for _, flag := range execOrder {
		path := fmt.Sprintf("/proc/%d/ns/%s", pid, nsFile(flag))
		theirs, err := os.Readlink(path)
		if errors.Is(err, os.ErrNotExist) && flag == unix.CLONE_NEWTIME {
			continue // a kernel without time namespaces
		}
		if err != nil {
			return nil, err
		}
		ours, err := os.Readlink("/proc/self/ns/" + nsFile(flag))
		if err != nil {
			return nil, err
		}
		if theirs != ours {
			f.Namespaces = append(f.Namespaces, plan.NamespacePath{Path: path, Types: flag})
			if flag == unix.CLONE_NEWUSER {
				if err := userMaps(f, pid); err != nil {
					return nil, err
				}
			}
		}
	}
	return f, nil
}

func userMaps(f *plan.ExecFacts, pid int) error {
	var err error
	if f.UIDMap, err = readMap(fmt.Sprintf("/proc/%d/uid_map", pid)); err != nil {
		return err
	}
	if f.GIDMap, err = readMap(fmt.Sprintf("/proc/%d/gid_map", pid)); err != nil {
		return err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/setgroups", pid))
	if err != nil {
		return err
	}
	f.DenyGroups = strings.HasPrefix(string(b), "deny")
	return nil
}

// joinedUser reads the id maps of a user namespace that is named by a process in it. Of a namespace that
// is bound to some other file they cannot be told without entering it: nil.
func joinedUser(path string) *plan.UserMaps {
	var pid int
	if n, err := fmt.Sscanf(path, "/proc/%d/ns/user", &pid); n != 1 || err != nil {
		return nil
	}
	var f plan.ExecFacts
	if err := userMaps(&f, pid); err != nil {
		return nil
	}
	return &plan.UserMaps{UID: f.UIDMap, GID: f.GIDMap}
}

func readMap(path string) ([]specs.LinuxIDMapping, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseIDMap(string(b))
}

// ParseIDMap reads /proc/PID/uid_map (user_namespaces(7)).
func ParseIDMap(text string) ([]specs.LinuxIDMapping, error) {
	var out []specs.LinuxIDMapping
	for line := range strings.Lines(text) {
		var m specs.LinuxIDMapping
		if n, err := fmt.Sscan(line, &m.ContainerID, &m.HostID, &m.Size); n != 3 {
			return nil, fmt.Errorf("id map line %q: %w", line, err)
		}
		out = append(out, m)
	}
	return out, nil
}
