package devices

import (
	"os"
	"testing"
)

// BenchmarkAttach is what a device policy costs a container on cgroup2.
func BenchmarkAttach(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("needs root to load eBPF programs")
	}
	prog := New(builtin()).program()
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			fd, err := loadProgram(prog)
			if err != nil {
				b.Fatal(err)
			}
			closeAll([]int{fd})
		}
	})
}
