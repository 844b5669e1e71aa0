package systemd

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// UserBus returns the address of the user's bus and the uid to authenticate
// with, given the values of DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR.
// The address is "" if neither tells it. In a user namespace the bus knows
// the user by the id that euid has outside, which /proc/self/uid_map tells.
func UserBus(sessionAddress, runtimeDir string, euid int) (address string, uid int, err error) {
	address = sessionAddress
	if address == "" && runtimeDir != "" {
		address = "unix:path=" + runtimeDir + "/bus"
	}
	b, err := ctl.Read("/proc/self", "uid_map", nil)
	if err != nil {
		return "", 0, err
	}
	if uid, err = outside(b, euid); err != nil {
		return "", 0, err
	}
	return address, uid, nil
}

// outside maps a uid through the lines "INSIDE OUTSIDE LENGTH" of a uid_map.
func outside(b []byte, uid int) (int, error) {
	found, ok := 0, false
	ctl.EachLine(b, func(line []byte) {
		f := bytes.Fields(line)
		if len(f) != 3 || ok {
			return
		}
		var n [3]int64
		for i := range f {
			v, err := strconv.ParseInt(string(f[i]), 10, 64)
			if err != nil {
				return
			}
			n[i] = v
		}
		if off := int64(uid) - n[0]; off >= 0 && off < n[2] {
			found, ok = int(n[1]+off), true
		}
	})
	if !ok {
		return 0, fmt.Errorf("uid_map: uid %d has no id outside", uid)
	}
	return found, nil
}

// Root returns the cgroup of the systemd at the unit's bus: what a user's
// units lie below. Of the system's own it is "/" mostly.
func Root(ctx context.Context, u cgroups.Unit) (string, error) {
	var root string
	err := with(ctx, &u, func(ctx context.Context, c *connection) (err error) {
		root, err = c.property(ctx, "ControlGroup")
		return err
	})
	if root == "" {
		root = "/"
	}
	return root, err
}
