package plan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tare/internal/calls"
	"tare/internal/plan"
	"tare/internal/step"
)

// TestWhichStartsNeedNoGo holds how far the fast lane of the init stage comes with each plan: a kind of step
// that it can no longer do costs every container of an engine a second Go runtime.
func TestWhichStartsNeedNoGo(t *testing.T) {
	var b strings.Builder
	line := func(name string, p *plan.Plan) {
		n := calls.Lower(p.Init, len(p.FDs), false).Steps()
		if n == len(p.Init) {
			fmt.Fprintf(&b, "%s: to the end\n", name)
			return
		}
		fmt.Fprintf(&b, "%s: %d steps, up to %s\n", name, n, strings.TrimSpace(step.Text(p.Init[n])))
	}
	for _, c := range goldenCases() {
		line(c.name, c.build(t))
	}
	files, err := filepath.Glob("testdata/engines/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		line("engines/"+name, planRecorded(t, name, raw))
	}
	const golden = "testdata/lanes.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("(go test ./internal/plan -update writes it anew)\n%s", firstDifference(got, string(want)))
	}
}
