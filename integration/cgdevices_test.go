package integration

import (
	"os/exec"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// devRule is an entry of linux.resources.devices; major and minor -1 stand for any.
func devRule(allow bool, typ string, major, minor int64, access string) specs.LinuxDeviceCgroup {
	r := specs.LinuxDeviceCgroup{Allow: allow, Type: typ, Access: access}
	if major >= 0 {
		r.Major = &major
	}
	if minor >= 0 {
		r.Minor = &minor
	}
	return r
}

func rules(list ...specs.LinuxDeviceCgroup) func(*specs.Spec) {
	return resources(func(r *specs.LinuxResources) {
		r.Devices = append([]specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}, list...)
	})
}

func ruleUpdate(list ...specs.LinuxDeviceCgroup) specs.LinuxResources {
	return specs.LinuxResources{Devices: append([]specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}, list...)}
}

// What a list of rules lets a container do with /dev/kmsg (c 1:11) and a loop device (b 7:0): the last rule
// that speaks of an operation counts.
func TestDeviceRuleOrder(t *testing.T) {
	const kmsgR, kmsgW, loopR = "openr:/dev/kmsgx", "openw:/dev/kmsgx", "openr:/dev/loopx"
	for name, row := range map[string]struct {
		rules []specs.LinuxDeviceCgroup
		can   string // of kmsg read, kmsg write, loop read
	}{
		"allow after deny":                     {[]specs.LinuxDeviceCgroup{devRule(false, "c", 1, 11, "rw"), devRule(true, "c", 1, 11, "rw")}, "rw-"},
		"deny after allow":                     {[]specs.LinuxDeviceCgroup{devRule(true, "c", 1, 11, "rw"), devRule(false, "c", 1, 11, "rw")}, "---"},
		"deny of one access after allow":       {[]specs.LinuxDeviceCgroup{devRule(true, "c", 1, 11, "rw"), devRule(false, "c", 1, 11, "w")}, "r--"},
		"any major":                            {[]specs.LinuxDeviceCgroup{devRule(true, "c", -1, 11, "rw")}, "rw-"},
		"any minor":                            {[]specs.LinuxDeviceCgroup{devRule(true, "c", 1, -1, "w")}, "-w-"},
		"any of a type":                        {[]specs.LinuxDeviceCgroup{devRule(true, "c", -1, -1, "rw")}, "rw-"},
		"any of the other type":                {[]specs.LinuxDeviceCgroup{devRule(true, "b", -1, -1, "rw")}, "--r"},
		"the same numbers of the other type":   {[]specs.LinuxDeviceCgroup{devRule(true, "b", 1, 11, "rw")}, "---"},
		"type a":                               {[]specs.LinuxDeviceCgroup{devRule(true, "a", -1, -1, "rwm")}, "rwr"},
		"deny of all after allow":              {[]specs.LinuxDeviceCgroup{devRule(true, "c", 1, 11, "rw"), devRule(false, "a", -1, -1, "rwm")}, "---"},
		"allow of all, then deny of one":       {[]specs.LinuxDeviceCgroup{devRule(true, "a", -1, -1, "rwm"), devRule(false, "c", 1, 11, "rw")}, "--r"},
		"mknod alone opens nothing":            {[]specs.LinuxDeviceCgroup{devRule(true, "c", 1, 11, "m")}, "---"},
		"another minor":                        {[]specs.LinuxDeviceCgroup{devRule(true, "c", 1, 12, "rw")}, "---"},
		"deny of a major, allow of one of its": {[]specs.LinuxDeviceCgroup{devRule(false, "c", 1, -1, "rw"), devRule(true, "c", 1, 11, "r")}, "r--"},
	} {
		t.Run(name, func(t *testing.T) {
			needController(t, "devices")
			b := newBundle(t, addCaps("CAP_SYSLOG"), device("/dev/kmsgx", "c", 1, 11), device("/dev/loopx", "b", 7, 0), rules(row.rules...))
			r := b.try(kmsgR, kmsgW, loopR)
			got := ""
			for i, op := range []string{kmsgR, kmsgW, loopR} {
				if r[op] == "EPERM" {
					got += "-"
				} else {
					got += string("rwr"[i]) // whatever else the open says, it was let through
				}
			}
			if got != row.can {
				t.Errorf("can %s, want %s: %v", got, row.can, r)
			}
		})
	}
}

// v1 has no way to say this; v2 has.
func TestDeviceDenyWithinAnAllowedWildcard(t *testing.T) {
	needController(t, "devices")
	onlyTare(t, "others allow it in silence")
	b := newBundle(t, addCaps("CAP_SYSLOG"), device("/dev/kmsgx", "c", 1, 11),
		rules(devRule(true, "c", 1, -1, "rw"), devRule(false, "c", 1, 11, "w")))
	if layout == cgroup1 {
		b.edit(args("/bin/true"))
		b.run().fails(t, "linux.resources.devices")
		b.wantGone()
		return
	}
	if r := b.try("openr:/dev/kmsgx", "openw:/dev/kmsgx"); r["openr:/dev/kmsgx"] != "" || r["openw:/dev/kmsgx"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

// tryIn runs operations by exec.
func (b *bundle) tryIn(ops ...string) map[string]string {
	b.t.Helper()
	return decode[map[string]string](b.t, b.exec(append([]string{"/testprog", "try"}, ops...)...).ok(b.t).out)
}

func TestUpdateGivesAndTakesADevice(t *testing.T) {
	needController(t, "devices")
	onlyTare(t, "others leave devices aside in update")
	const op = "openw:/dev/kmsgx"
	b := newBundle(t, device("/dev/kmsgx", "c", 1, 11))
	b.hold()
	for i, want := range []string{"EPERM", "", "EPERM"} {
		switch i {
		case 1:
			b.update(ruleUpdate(devRule(true, "c", 1, 11, "rw"))).ok(t)
		case 2:
			b.update(ruleUpdate(devRule(true, "c", 1, 12, "rw"))).ok(t)
		}
		if r := b.tryIn(op, "write:/dev/null:x"); r[op] != want || r["write:/dev/null:x"] != "" {
			t.Errorf("%d: %v, want %q", i, r, want)
		}
	}
}

func TestUpdateThatFailsKeepsTheDeviceRules(t *testing.T) {
	needController(t, "devices")
	onlyTare(t, "others leave devices aside in update")
	b := newBundle(t, device("/dev/kmsgx", "c", 1, 11), rules(devRule(true, "c", 1, 11, "rw")))
	b.hold()
	change := ruleUpdate()
	change.Pids = &specs.LinuxPids{Limit: ptr[int64](1 << 40)}
	b.update(change).fails(t, "linux.resources.pids.limit")
	if r := b.tryIn("openw:/dev/kmsgx"); r["openw:/dev/kmsgx"] != "" {
		t.Errorf("%v", r)
	}
}

// A container of default rules says so to the kernel in v1's words.
func TestDeviceListOnV1(t *testing.T) {
	needV1(t)
	needController(t, "devices")
	b := newBundle(t, rules(devRule(true, "b", 8, -1, "r")))
	b.hold()
	list := strings.Split(strings.TrimSpace(readFile(t, b.cgroupDir("devices")+"/devices.list")), "\n")
	want := []string{"b 8:* rm", "c 1:3 rwm", "c 1:5 rwm", "c 136:* rwm", "c *:* m", "b *:* m"}
	for _, line := range want {
		found := false
		for _, have := range list {
			found = found || have == line || strings.HasPrefix(line, "b 8") && strings.HasPrefix(have, "b 8:* r")
		}
		if !found {
			t.Errorf("%q is not in %q", line, list)
		}
	}
	for _, have := range list {
		if strings.HasPrefix(have, "a ") {
			t.Errorf("all is allowed: %q", list)
		}
	}
}

// However often the rules change there is one program, tare's, on the cgroup.
func TestDeviceProgramIsReplacedNotStacked(t *testing.T) {
	needV2(t)
	onlyTare(t, "others leave devices aside in update")
	if _, err := exec.LookPath("bpftool"); err != nil {
		skip(t, "no bpftool")
	}
	b := newBundle(t)
	b.hold()
	for minor := range int64(4) {
		b.update(ruleUpdate(devRule(true, "c", 7, minor, "rw"))).ok(t)
	}
	out, err := exec.Command("bpftool", "cgroup", "list", b.cgroupDir("")).CombinedOutput()
	check(t, err)
	if n := strings.Count(string(out), "tare_devices"); n != 1 || strings.Count(string(out), "device") != 2 {
		t.Errorf("%s", out)
	}
}

func TestNoDeviceProgramWhenAllIsAllowed(t *testing.T) {
	needV2(t)
	if _, err := exec.LookPath("bpftool"); err != nil {
		skip(t, "no bpftool")
	}
	b := newBundle(t, rules(devRule(true, "a", -1, -1, "rwm")))
	b.hold()
	out, err := exec.Command("bpftool", "cgroup", "list", b.cgroupDir("")).CombinedOutput()
	check(t, err)
	if strings.Contains(string(out), "device") {
		t.Errorf("%s", out)
	}
}
