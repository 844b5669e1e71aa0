// Package statbench reads a cgroup's statistics with tare/cgroups and with
// github.com/opencontainers/cgroups, side by side:
//
//	go test -run '^$' -bench . -benchmem
package statbench

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	opencontainers "github.com/opencontainers/cgroups"
	ocmanager "github.com/opencontainers/cgroups/manager"

	"tare/cgroups"
	"tare/cgroups/manager"
)

// used returns tare's manager of a cgroup with a process in it, and its path.
func used(b *testing.B) (cgroups.Manager, string) {
	b.Helper()
	if os.Geteuid() != 0 {
		b.Skip("needs root to make cgroups")
	}
	path := fmt.Sprintf("/tare-statbench-%d", os.Getpid())
	l, err := cgroups.Detect()
	if err != nil {
		b.Fatal(err)
	}
	p, err := cgroups.Resolve(cgroups.Request{CgroupsPath: path, Mode: l.Mode})
	if err != nil {
		b.Fatal(err)
	}
	m, err := manager.New(l.Config(p))
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Create(b.Context(), cgroups.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if err := m.Destroy(b.Context()); err != nil && b.Context().Err() == nil {
			b.Error(err)
		}
	})
	if err := m.Join(cmd.Process.Pid, cgroups.All); err != nil {
		b.Fatal(err)
	}
	return m, path
}

func BenchmarkTare(b *testing.B) {
	m, _ := used(b)
	b.ReportAllocs()
	for b.Loop() {
		if s, err := m.Stat(); err != nil || s.Pids.Current != 1 {
			b.Fatalf("%+v, %v", s, err)
		}
	}
}

func BenchmarkOpencontainers(b *testing.B) {
	m, path := used(b)
	other, err := ocmanager.NewWithPaths(&opencontainers.Cgroup{Path: path, Resources: &opencontainers.Resources{}}, m.Paths())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if s, err := other.GetStats(); err != nil || s.PidsStats.Current != 1 {
			b.Fatalf("%+v, %v", s, err)
		}
	}
}
