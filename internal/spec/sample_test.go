package spec

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestSampleGolden(t *testing.T) {
	for name, o := range map[string]SampleOptions{
		"sample-v1":       {},
		"sample-v2":       {CgroupV2: true},
		"sample-rootless": {CgroupV2: true, Rootless: true, UID: 1000, GID: 1001},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := SampleJSON(o)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("sample differs from %s:\n%s", golden, got)
			}
		})
	}
}

// The sample has to be read back as it was made, and there must be nothing to
// find in it.
func TestSampleIsValid(t *testing.T) {
	for _, o := range []SampleOptions{{}, {CgroupV2: true}, {Rootless: true, UID: 1000, GID: 1000}} {
		raw, err := SampleJSON(o)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(s, Sample(o)) {
			t.Errorf("%+v: read back differently", o)
		}
		if found := Validate(s, Options{Rootless: o.Rootless}); len(found) > 0 {
			t.Errorf("%+v: findings: %v", o, found)
		}
	}
}
