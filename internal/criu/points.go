package criu

import (
	"fmt"

	"golang.org/x/sys/unix"

	"tare/internal/plan"
	"tare/internal/rootfs"
	"tare/internal/sys"
)

// MakePoints makes the mount points that are missing. Each is resolved beneath its base: the files there
// are not trusted.
func MakePoints(points []plan.MountPoint) error {
	for i := range points {
		if err := makePoint(&points[i]); err != nil {
			return fmt.Errorf("%s.destination: %w", points[i].At, err)
		}
	}
	return nil
}

func makePoint(p *plan.MountPoint) error {
	base, err := sys.OpenAt(sys.AT_FDCWD, p.Base, sys.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer base.Close()
	mk := rootfs.MkfileAll
	if p.Dir {
		mk = rootfs.MkdirAll
	}
	fd, err := mk(base.Int(), p.Path)
	if err != nil {
		return err
	}
	fd.Close()
	return nil
}
