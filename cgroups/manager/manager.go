// Package manager builds the cgroups.Manager that a Config describes.
package manager

import (
	"tare/cgroups"
	"tare/cgroups/systemd"
	"tare/cgroups/v1"
	"tare/cgroups/v2"
)

// New returns the manager of the Config, whether its cgroup is to be created
// or was, by this process or another. It touches nothing.
func New(c cgroups.Config) (cgroups.Manager, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	switch {
	case c.Kind == cgroups.Disabled:
		return cgroups.None{}, nil
	case c.Kind == cgroups.Systemd:
		return systemd.New(c)
	case c.Mode() == cgroups.V2:
		return v2.New(c)
	}
	return v1.New(c)
}
