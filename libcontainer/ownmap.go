package libcontainer

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/host"
	"tare/internal/spec"
	"tare/internal/step"
)

// mapSelf gives the container of a user without privileges what it cannot do without: a user namespace, and
// id maps for it, where config.json has none. The record keeps them, so that exec finds the same.
func (p *prepared) mapSelf() error {
	if os.Geteuid() == 0 || p.spec.Linux == nil {
		return nil
	}
	own, l := *p.spec, *p.spec.Linux // the caller's stays as it is
	user := spec.Namespace(p.spec, specs.UserNamespace)
	if user != nil && user.Path != "" || len(l.UIDMappings) > 0 || len(l.GIDMappings) > 0 {
		return nil
	}
	uids, gids, err := host.OwnMaps()
	if err != nil {
		return fmt.Errorf("linux.uidMappings: %w", err)
	}
	if user == nil {
		l.Namespaces = append(slices.Clone(l.Namespaces), specs.LinuxNamespace{Type: specs.UserNamespace})
	}
	l.UIDMappings, l.GIDMappings = mappings(uids), mappings(gids)
	own.Linux = &l
	p.spec = &own
	p.raw, err = json.Marshal(p.spec)
	return err
}

func mappings(maps []step.IDMap) []specs.LinuxIDMapping {
	var out []specs.LinuxIDMapping
	for _, m := range maps {
		out = append(out, specs.LinuxIDMapping{ContainerID: m.Container, HostID: m.Host, Size: m.Size})
	}
	return out
}
