package systemd

import (
	"strconv"

	"tare/cgroups/devices"
)

// deviceAllow is an entry of the DeviceAllow property.
type deviceAllow struct {
	Path, Access string
}

// deviceProperties tells systemd the policy as far as it can be told, so that
// a reload of systemd does not undo what the files or the eBPF program say.
// What it cannot express (an order of denials, a minor number alone) stays
// with those.
func deviceProperties(p *devices.Policy) []Property {
	empty := prop("DeviceAllow", []deviceAllow{}) // resets the list
	rules, ok := p.Allows()
	if !ok {
		return []Property{prop("DevicePolicy", "auto"), empty}
	}
	list := make([]deviceAllow, 0, len(rules))
	for _, r := range rules {
		if path := devicePath(r); path != "" {
			list = append(list, deviceAllow{path, accessOf(r.Access)})
		}
	}
	return []Property{prop("DevicePolicy", "strict"), empty, prop("DeviceAllow", list)}
}

func devicePath(r devices.Rule) string {
	kind := "char"
	if r.Type == devices.Block {
		kind = "block"
	}
	major := strconv.FormatInt(r.Major, 10)
	switch {
	case r.Major == devices.Any && r.Minor == devices.Any:
		return kind + "-*"
	case r.Major == devices.Any:
		return ""
	case r.Minor == devices.Any:
		return kind + "-" + major
	}
	return "/dev/" + kind + "/" + major + ":" + strconv.FormatInt(r.Minor, 10)
}

func accessOf(a devices.Access) string {
	s := ""
	if a&devices.Read != 0 {
		s += "r"
	}
	if a&devices.Write != 0 {
		s += "w"
	}
	if a&devices.Mknod != 0 {
		s += "m"
	}
	return s
}
