package plan_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/plan"
	"tare/internal/spec"
	"tare/internal/step"
)

var update = flag.Bool("update", false, "write the golden plans anew")

// v1Facts is a host like many: each v1 controller mounted by itself, root.
func v1Facts() *plan.Facts {
	f := hostFacts()
	f.Cgroup = plan.CgroupFacts{Mode: "v1", Manager: "cgroupfs", Why: "v1 hierarchies alone are mounted"}
	for _, c := range []string{"cpu", "memory", "pids", "devices", "freezer"} {
		f.Cgroup.Hierarchies = append(f.Cgroup.Hierarchies, plan.Hierarchy{Mount: "/sys/fs/cgroup/" + c,
			Dir: "/sys/fs/cgroup/" + c + "/box", Version: 1, Controllers: []string{c}})
	}
	f.Cgroup.Hierarchies = append(f.Cgroup.Hierarchies,
		plan.Hierarchy{Mount: "/sys/fs/cgroup/net_cls,net_prio", Dir: "/sys/fs/cgroup/net_cls,net_prio/box", Version: 1,
			Controllers: []string{"net_cls", "net_prio"}},
		plan.Hierarchy{Mount: "/sys/fs/cgroup/systemd", Dir: "/sys/fs/cgroup/systemd/box", Version: 1,
			Controllers: []string{"name=systemd"}})
	return f
}

func v2Facts() *plan.Facts {
	f := hostFacts()
	f.Cgroup = plan.CgroupFacts{Mode: "v2", Manager: "cgroupfs", Why: "cgroup2 is mounted at /sys/fs/cgroup", Into: true,
		Hierarchies: []plan.Hierarchy{{Mount: "/sys/fs/cgroup", Dir: "/sys/fs/cgroup/box", Version: 2}}}
	return f
}

func hostFacts() *plan.Facts {
	return &plan.Facts{Privileged: true, Resource: true, LastCap: 40, Kcore: true}
}

func rootlessFacts() *plan.Facts {
	f := v2Facts()
	f.Privileged, f.EUID, f.EGID = false, 1000, 1000
	f.Cgroup.Disabled, f.Cgroup.Manager, f.Cgroup.Why = true, "disabled", "the caller has no permission for one"
	return f
}

// rootOfOneID is root of a user namespace that `unshare -Ur` has made.
func rootOfOneID() *plan.Facts {
	f := v2Facts()
	f.InUserNS, f.GroupsDenied, f.ForeignMounts = true, true, true
	f.Cgroup.Disabled = true
	return f
}

// goldenCase is a plan that is held as text.
type goldenCase struct {
	name  string
	facts func() *plan.Facts
	base  func() *specs.Spec
	edit  func(s *specs.Spec, f *plan.Facts, o *plan.Options)
}

func sample() *specs.Spec   { return spec.Sample(spec.SampleOptions{CgroupV2: true}) }
func sampleV1() *specs.Spec { return spec.Sample(spec.SampleOptions{}) }
func sampleRootless() *specs.Spec {
	return spec.Sample(spec.SampleOptions{Rootless: true, CgroupV2: true, UID: 1000, GID: 1000})
}

func options() *plan.Options {
	return &plan.Options{ID: "box", Bundle: "/b", Rootfs: "/b/rootfs", CgroupPath: "/box"}
}

func (c *goldenCase) build(t *testing.T) *plan.Plan {
	t.Helper()
	s, f, o := c.base(), c.facts(), options()
	s.Process.Terminal = false
	if c.edit != nil {
		c.edit(s, f, o)
	}
	if err := spec.Validate(s, spec.Options{Rootless: f.EUID != 0}).Err(); err != nil {
		t.Fatalf("the case itself is no valid configuration: %v", err)
	}
	p, err := plan.Build(s, f, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGoldenPlans(t *testing.T) {
	for _, c := range goldenCases() {
		t.Run(c.name, func(t *testing.T) {
			checkGolden(t, c.name, c.build(t))
		})
	}
}

func checkGolden(t *testing.T, name string, p *plan.Plan) {
	t.Helper()
	checkText(t, name, p.Text())
}

// checkText compares with a golden file.
func checkText(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the plan has changed (go test ./internal/plan -update writes it anew):\n%s", firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return "got  " + g[i] + "\nwant " + w[i]
		}
	}
	return "one is longer than the other"
}

// TestBarriersMeet proves that no plan can lock host and init against each other: both name the same
// barriers in the same order, and the host releases each one that it waits for.
func TestBarriersMeet(t *testing.T) {
	for _, c := range goldenCases() {
		p := c.build(t)
		checkBarriers(t, c.name, p)
	}
	for name, p := range execPlans(t) {
		checkBarriers(t, name, p)
	}
}

func checkBarriers(t *testing.T, name string, p *plan.Plan) {
	t.Helper()
	var init, host []string
	for _, s := range p.Init {
		if b, ok := s.(*step.Barrier); ok {
			init = append(init, b.Name)
		}
	}
	waiting := ""
	for _, s := range p.Host {
		switch s := s.(type) {
		case *step.Await:
			if slices.Contains(host, s.Name) {
				continue // released ahead: only the host waits
			}
			if waiting != "" {
				t.Errorf("%s: the host waits for %q while the init waits at %q", name, s.Name, waiting)
			}
			waiting = s.Name
		case *step.Release:
			if waiting != "" && waiting != s.Name {
				t.Errorf("%s: the host releases %q while the init waits at %q", name, s.Name, waiting)
			}
			waiting = ""
			host = append(host, s.Name)
		}
	}
	if strings.Join(init, "|") != strings.Join(host, "|") || waiting != "" {
		t.Errorf("%s: the init stops at %q, the host releases %q and leaves %q", name, init, host, waiting)
	}
}

// TestPlansTravel proves that the init reads from the wire what the host has planned.
func TestPlansTravel(t *testing.T) {
	for _, c := range goldenCases() {
		p := c.build(t)
		back, err := step.Decode(step.Encode(p.Init))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got, want := string(step.AppendText(nil, back)), string(step.AppendText(nil, p.Init)); got != want {
			t.Errorf("%s: %s", c.name, firstDifference(got, want))
		}
	}
}
