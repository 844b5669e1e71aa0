package plan_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tare/internal/plan"
	"tare/internal/spec"
)

// The configurations in testdata/engines were recorded from engines; the command that made each is
// beside it (tests/engines/record).
func TestGoldenPlansOfEngines(t *testing.T) {
	files, err := filepath.Glob("testdata/engines/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := planRecorded(t, name, raw)
			checkBarriers(t, name, p)
			checkGolden(t, filepath.Join("engines", name), p)
		})
	}
}

// planRecorded plans a recorded config.json, or a recorded process.json in the sample container.
func planRecorded(t *testing.T, name string, raw []byte) *plan.Plan {
	t.Helper()
	if strings.HasSuffix(name, ".exec") {
		p, err := spec.ParseProcess(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := spec.ValidateProcess(p, nil, spec.Options{}).Err(); err != nil {
			t.Fatal(err)
		}
		built, err := plan.BuildExec(sampleV1(), p, &plan.ExecFacts{Facts: *v1Facts()}, options())
		if err != nil {
			t.Fatal(err)
		}
		return built
	}
	s, err := spec.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := spec.Validate(s, spec.Options{}).Err(); err != nil {
		t.Fatal(err)
	}
	built, err := plan.Build(s, v1Facts(), options())
	if err != nil {
		t.Fatal(err)
	}
	return built
}
