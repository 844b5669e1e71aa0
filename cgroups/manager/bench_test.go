package manager

import (
	"os"
	"testing"

	"tare/cgroups"
)

// BenchmarkContainer is the cgroup part of a container's life without joining.
func BenchmarkContainer(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root to make cgroups")
	}
	for b.Loop() {
		l, err := cgroups.Detect()
		if err != nil {
			b.Fatal(err)
		}
		p, err := cgroups.Resolve(cgroups.Request{CgroupsPath: "/tare-cgroups-bench", Mode: l.Mode})
		if err != nil {
			b.Fatal(err)
		}
		m, err := New(l.Config(p))
		if err != nil {
			b.Fatal(err)
		}
		if err := m.Create(b.Context(), cgroups.CreateOptions{}); err != nil {
			b.Fatal(err)
		}
		if _, err := m.SetDevices(b.Context(), nil); err != nil {
			b.Fatal(err)
		}
		if err := m.Destroy(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
