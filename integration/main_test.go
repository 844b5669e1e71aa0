package integration

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// suite is what TestMain prepares once for all cases. It does not change after that.
var suite struct {
	bin     string   // the runtime under test
	subject string   // first word of its --version: tare, runc, crun
	base    string   // directory of all cases
	prefix  string   // cgroup directory of all cases, e.g. /tare-it-123
	user    uint32   // who runs the rootless cases: the caller, or for root another
	plain   bool     // the caller is not root: every case is rootless
	granted bool     // and has a cgroup that it may manage
	maps    idMaps   // of the user namespaces of a plain caller's cases
	masters []string // programs that are hard-linked into every rootfs
	sums    [][sha256.Size]byte
	older   map[int]bool // processes of before, which are no case's
}

func TestMain(m *testing.M) {
	flag.Parse()
	if why := unfit(); why != "" {
		fmt.Println("integration: skipped:", why)
		os.Exit(0)
	}
	if !flagGiven("test.parallel") {
		flag.Set("test.parallel", "4") // cases mostly wait for the kernel
	}
	if err := prepare(); err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		os.Exit(1)
	}
	code := m.Run()
	if err := finish(); err != nil {
		fmt.Fprintln(os.Stderr, "integration:", err)
		code = 1
	}
	tally.print(os.Stdout)
	os.Exit(code)
}

func prepare() error {
	bin := os.Getenv("TARE_BIN")
	if bin == "" {
		bin = "../bin/tare"
	}
	var err error
	if suite.bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	version, err := exec.Command(suite.bin, "--version").Output()
	if err != nil {
		return fmt.Errorf("%s --version: %w (run make, or set TARE_BIN)", suite.bin, err)
	}
	suite.subject, _, _ = strings.Cut(string(version), " ")
	if suite.base, err = os.MkdirTemp("", "tare-it-"); err != nil {
		return err
	}
	if err := os.Chmod(suite.base, 0o755); err != nil { // a user namespace must be able to pass
		return err
	}
	suite.prefix = fmt.Sprintf("/tare-it-%d", os.Getpid())
	suite.older = map[int]bool{}
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			suite.older[pid] = true
		}
	}
	suite.user = rootlessID
	if os.Geteuid() != 0 {
		if err := preparePlain(); err != nil {
			return err
		}
	}
	return prepareMasters()
}

// prepareMasters builds testprog and copies busybox to where the cases link them from.
func prepareMasters() error {
	prog := filepath.Join(suite.base, "testprog")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", prog, "./testprog")
	if given := os.Getenv("TESTPROG"); given != "" { // a machine without Go brings the built program
		build = exec.Command("cp", given, prog)
	}
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build testprog: %w\n%s", err, out)
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("%w (install busybox-static)", err)
	}
	copied := filepath.Join(suite.base, "busybox")
	if out, err := exec.Command("cp", busybox, copied).CombinedOutput(); err != nil {
		return fmt.Errorf("copy busybox: %w\n%s", err, out)
	}
	for _, path := range []string{prog, copied} {
		if err := os.Chmod(path, 0o755); err != nil {
			return err
		}
		sum, err := sumFile(path)
		if err != nil {
			return err
		}
		suite.masters, suite.sums = append(suite.masters, path), append(suite.sums, sum)
	}
	return nil
}

// finish checks that no container wrote to a shared program, and removes what all cases share.
func finish() error {
	for i, path := range suite.masters {
		if sum, err := sumFile(path); err != nil || sum != suite.sums[i] {
			return fmt.Errorf("%s was changed from inside a container (%v)", path, err)
		}
	}
	for _, mount := range cgroupMounts() {
		if err := os.Remove(filepath.Join(mount, suite.prefix)); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return os.RemoveAll(suite.base)
}

func sumFile(path string) ([sha256.Size]byte, error) {
	data, err := os.ReadFile(path)
	return sha256.Sum256(data), err
}

func flagGiven(name string) bool {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}
