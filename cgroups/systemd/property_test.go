package systemd

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups/devices"
)

func ptr[T any](v T) *T { return &v }

// text lists properties as "Name=value", sorted.
func text(list []Property) []string {
	var out []string
	for _, p := range list {
		out = append(out, fmt.Sprintf("%s=%v", p.Name, p.Value.Value()))
	}
	slices.Sort(out)
	return out
}

func TestProperties(t *testing.T) {
	t.Parallel()
	new := target{version: 257, unified: true, quota: -1, period: 100000}
	old := target{version: 239, unified: true, quota: 50000, period: 100000}
	one := target{version: 257, quota: -1, period: 100000}
	const max = "18446744073709551615"
	devices := make([]specs.LinuxWeightDevice, 2)
	devices[0].Major, devices[0].Minor, devices[0].Weight = 8, 16, ptr[uint16](1000)
	for _, c := range []struct {
		name string
		r    specs.LinuxResources
		t    target
		want string // blank separated
		err  string
	}{
		{"memory", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](100), Swap: ptr[int64](150), Reservation: ptr[int64](-1)}}, new,
			"MemoryLow=" + max + " MemoryMax=100 MemorySwapMax=50", ""},
		{"memory v1", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](-1), Swap: ptr[int64](150)}}, one, "MemoryLimit=" + max, ""},
		{"bad swap", specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](100), Swap: ptr[int64](50)}}, new, "", "linux.resources.memory.swap"},
		{"swap alone", specs.LinuxResources{Memory: &specs.LinuxMemory{Swap: ptr[int64](50)}}, new, "", ""},
		{"shares", specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr[uint64](1024)}}, new, "CPUWeight=100", ""},
		{"shares v1", specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr[uint64](1024)}}, one, "CPUShares=1024", ""},
		{"idle", specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr[uint64](1024), Idle: ptr[int64](1)}}, new, "CPUWeight=0", ""},
		{"idle, old systemd", specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr[uint64](1024), Idle: ptr[int64](1)}}, old, "", ""},
		{"idle no more", specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: ptr[int64](0)}}, new, "CPUWeight=" + max, ""},
		{"idle no more, with shares", specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr[uint64](1024), Idle: ptr[int64](0)}}, new, "CPUWeight=100", ""},
		{"idle no more, old systemd", specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: ptr[int64](0)}}, old, "", ""},
		{"quota", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr[int64](33333)}}, new, "CPUQuotaPerSecUSec=340000", ""},
		{"quota and period", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr[int64](33333), Period: ptr[uint64](50000)}}, new,
			"CPUQuotaPerSecUSec=670000 CPUQuotaPeriodUSec=50000", ""},
		{"period alone, old systemd", specs.LinuxResources{CPU: &specs.LinuxCPU{Period: ptr[uint64](200000)}}, old, "CPUQuotaPerSecUSec=250000", ""},
		{"no quota", specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr[int64](-1)}}, new, "CPUQuotaPerSecUSec=" + max, ""},
		{"cpuset", specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0-3,9", Mems: "1"}}, new, "AllowedCPUs=[15_2] AllowedMemoryNodes=[2]", ""},
		{"cpuset, old systemd", specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0-3"}}, old, "", ""},
		{"bad cpuset", specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "3-0"}}, new, "", "linux.resources.cpu.cpus"},
		{"pids", specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](0)}}, new, "TasksMax=1", ""},
		{"no pids limit", specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](-1)}}, new, "TasksMax=" + max, ""},
		{"io", specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr[uint16](1000)}}, new, "IOWeight=10000", ""},
		{"blkio", specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr[uint16](1000)}}, one, "BlockIOWeight=1000", ""},
		{"io of devices", specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{WeightDevice: devices}}, new, "IODeviceWeight=[{/dev/block/8:16_10000}]", ""},
		{"io of devices, BFQ", specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr[uint16](300), WeightDevice: devices}}, target{version: 257, unified: true, bfq: true},
			"IODeviceWeight=[{/dev/block/8:16_10000}] IOWeight=2300", ""},
		{"io below BFQ's default", specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr[uint16](50)}}, target{version: 257, unified: true, bfq: true}, "IOWeight=50", ""},
		{"blkio of devices", specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{WeightDevice: devices}}, one, "BlockIODeviceWeight=[{/dev/block/8:16_1000}]", ""},
		{"unified", specs.LinuxResources{Unified: map[string]string{"memory.high": "5\n", "pids.max": "max", "cpu.max": "50000 100000", "cpuset.cpus": "1", "io.max": "x", "cpu.weight": "7"}}, new,
			"AllowedCPUs=[2] CPUQuotaPerSecUSec=500000 CPUQuotaPeriodUSec=100000 CPUWeight=7 MemoryHigh=5 TasksMax=" + max, ""},
		{"idle no more, with a unified weight", specs.LinuxResources{CPU: &specs.LinuxCPU{Idle: ptr[int64](0)}, Unified: map[string]string{"cpu.weight": "7"}}, new, "CPUWeight=7", ""},
		{"unified idle", specs.LinuxResources{Unified: map[string]string{"cpu.idle": "1"}}, new, "CPUWeight=0", ""},
		{"unified idle no more", specs.LinuxResources{Unified: map[string]string{"cpu.idle": "0\n"}}, new, "CPUWeight=" + max, ""},
		{"unified idle no more, with a weight", specs.LinuxResources{Unified: map[string]string{"cpu.idle": "0", "cpu.weight": "7"}}, new, "CPUWeight=7", ""},
		{"unified idle no more, with shares", specs.LinuxResources{CPU: &specs.LinuxCPU{Shares: ptr[uint64](1024)}, Unified: map[string]string{"cpu.idle": "0"}}, new, "CPUWeight=100", ""},
		{"oom group later", specs.LinuxResources{Unified: map[string]string{"memory.oom.group": "1"}}, new, "", ""},
		{"oom group at start", specs.LinuxResources{Unified: map[string]string{"memory.oom.group": "1"}}, target{version: 257, unified: true, start: true}, "OOMPolicy=kill", ""},
		{"bad unified", specs.LinuxResources{Unified: map[string]string{"memory.max": "many"}}, new, "", "linux.resources.unified.memory.max"},
	} {
		props, _, err := properties(&c.r, c.t)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %s", c.name, err, c.err)
			}
			continue
		}
		if got := strings.ReplaceAll(strings.Join(text(props), "|"), " ", "_"); err != nil || got != strings.ReplaceAll(c.want, " ", "|") {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func TestRoundedQuotaIsWritten(t *testing.T) {
	t.Parallel()
	r := specs.LinuxResources{CPU: &specs.LinuxCPU{Quota: ptr[int64](33333)}}
	_, out, err := properties(&r, target{version: 257, unified: true, quota: -1, period: 100000})
	if err != nil || *out.CPU.Quota != 34000 || *r.CPU.Quota != 33333 {
		t.Errorf("%d (the caller's: %d), %v", *out.CPU.Quota, *r.CPU.Quota, err)
	}
}

func TestAnnotated(t *testing.T) {
	t.Parallel()
	props, err := Annotated(map[string]string{
		"org.systemd.property.TimeoutStopUSec": "uint64 123456789",
		"org.systemd.property.CollectMode":     "'inactive-or-failed'",
		"org.systemd.property.RuntimeMaxSec":   "1.5",
		"org.systemd.property.JobTimeoutSec":   "2",
		"org.systemd.property.SendSIGHUP":      "true",
		"org.systemd.property.Wants":           "['a.service', 'b.service']",
		"org.opencontainers.image.stopSignal":  "TERM",
		"org.systemd.property.WatchdogUSec":    "@t 5",
	})
	want := []string{"CollectMode=inactive-or-failed", "JobTimeoutUSec=2000000", "RuntimeMaxUSec=1500000", "SendSIGHUP=true",
		"TimeoutStopUSec=123456789", "Wants=[a.service b.service]", "WatchdogUSec=5"}
	if got := text(props); err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for key, value := range map[string]string{"Ab": "true", "": "true", "A.B": "true", "Foo": "what", "FooSec": "'x'", "BarSec": "-1"} {
		if _, err := Annotated(map[string]string{annotationPrefix + key: value}); err == nil || !strings.Contains(err.Error(), annotationPrefix+key) {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
}

func FuzzAnnotated(f *testing.F) {
	f.Add("RuntimeMaxSec", "uint64 5")
	f.Add("Wants", "['a', \"b\"]")
	f.Fuzz(func(t *testing.T, name, value string) {
		props, err := Annotated(map[string]string{annotationPrefix + name: value})
		if err == nil && (len(props) != 1 || props[0].Value.Signature().String() == "") {
			t.Fatalf("%q: %v", value, props)
		}
	})
}

func TestDeviceProperties(t *testing.T) {
	t.Parallel()
	p := devices.New([]devices.Rule{
		{Allow: true, Type: devices.Char, Major: 1, Minor: 3, Access: devices.Full},
		{Allow: true, Type: devices.Block, Major: 8, Minor: devices.Any, Access: devices.Read},
		{Allow: true, Type: devices.All, Major: devices.Any, Minor: devices.Any, Access: devices.Mknod},
		{Allow: true, Type: devices.Char, Major: devices.Any, Minor: 4, Access: devices.Write},
	})
	got := text(deviceProperties(p))
	want := []string{"DeviceAllow=[]", "DeviceAllow=[{/dev/char/1:3 rwm} {block-8 r} {block-* m} {char-* m}]", "DevicePolicy=strict"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	all := devices.New([]devices.Rule{{Allow: true, Type: devices.All, Major: devices.Any, Minor: devices.Any, Access: devices.Full}})
	if got := text(deviceProperties(all)); !slices.Equal(got, []string{"DeviceAllow=[]", "DevicePolicy=auto"}) {
		t.Errorf("all: %q", got)
	}
}

func TestVersionAndUserBus(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"257.13-1~deb13u1": 257, "v252": 252, `"v239"`: 239, "258~rc1": 258, "": 0, "x": 0} {
		if got, err := parseVersion(in); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, c := range []struct {
		text string
		uid  int
		want int
	}{{"0 0 4294967295\n", 7, 7}, {"0 1000 1\n1 100000 65536\n", 0, 1000}, {"0 1000 1\n1 100000 65536\n", 5, 100004}, {"0 1000 1\n", 3, -1}, {"junk\n", 0, -1}} {
		got, err := outside([]byte(c.text), c.uid)
		if err != nil {
			got = -1
		}
		if got != c.want {
			t.Errorf("%q, uid %d: %d, want %d", c.text, c.uid, got, c.want)
		}
	}
	if a, _, err := UserBus("", "/run/user/5", 0); err != nil || a != "unix:path=/run/user/5/bus" {
		t.Errorf("%q, %v", a, err)
	}
}

func FuzzParseUIDMap(f *testing.F) {
	f.Add([]byte("         0     100000      65536\n"), 5)
	f.Add([]byte("0 0 4294967295\n1 2\n"), 70000)
	f.Fuzz(func(t *testing.T, b []byte, uid int) {
		if n, err := outside(b, uid); err == nil && uid < 0 && n == 0 {
			t.Fatalf("%q: %d is %d outside", b, uid, n)
		}
	})
}

func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"257.13-1~deb13u1", "v252", `"254"`, "", "v"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseVersion(s); err == nil && n < 0 {
			t.Fatalf("%q: %d", s, n)
		}
	})
}

func FuzzParseBandwidth(f *testing.F) {
	f.Add("max", "100000")
	f.Add("-1", "0")
	f.Add("50000", "")
	f.Fuzz(func(t *testing.T, q, p string) {
		quota, period := parseBandwidth(q, p)
		if quota == 0 || quota < -1 || period == 0 || period == infinity {
			t.Fatalf("%q, %q: %d, %d", q, p, quota, period)
		}
		if v := roundQuota(max(quota, 0), period); v%10000 != 0 {
			t.Fatalf("%q, %q: %d", q, p, v)
		}
	})
}
