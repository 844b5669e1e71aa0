package house

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// What each start of the binary pays before main: package initialisation, and the pages that it touches.
// Growth here must be a decision, taken in this file.
const (
	maxBinary    = 8_500_000 // bytes, stripped
	maxInitBytes = 32_000    // allocated by package initialisation
)

func binary(t *testing.T) string {
	t.Helper()
	path := "../../bin/tare"
	if p := os.Getenv("TARE_BIN"); p != "" {
		path = p
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("there is no bin/tare (make)")
	}
	return path
}

func TestBinaryIsSmall(t *testing.T) {
	st, err := os.Stat(binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() > maxBinary {
		t.Errorf("%d bytes, at most %d are allowed", st.Size(), maxBinary)
	}
}

func TestPackagesWakeQuickly(t *testing.T) {
	cmd := exec.Command(binary(t), "--version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace bytes.Buffer
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	sum, packages := 0, 0
	for line := range strings.Lines(trace.String()) {
		// init PKG @0.1 ms, 0.02 ms clock, 144 bytes, 3 allocs
		f := strings.Fields(line)
		if len(f) < 9 || f[0] != "init" {
			continue
		}
		n, err := strconv.Atoi(f[7])
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		sum, packages = sum+n, packages+1
	}
	if packages == 0 {
		t.Fatalf("no trace: %s", trace.String())
	}
	if sum > maxInitBytes {
		t.Errorf("%d packages allocate %d bytes, at most %d are allowed:\n%s", packages, sum, maxInitBytes, trace.String())
	}
}
