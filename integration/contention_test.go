package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// contenders is how many containers TestContention puts through: a few, or what TARE_CONTENTION says (200
// by `make test-contention`).
func contenders(t *testing.T) int {
	t.Helper()
	text := os.Getenv("TARE_CONTENTION")
	if text == "" {
		return 24
	}
	n, err := strconv.Atoi(text)
	check(t, err)
	return n
}

// Eight workers put containers through their whole life side by side, below one parent cgroup that the first
// of them makes: no command fails, each value arrives, nothing is left.
func TestContention(t *testing.T) {
	not(t, "runc", "loses a process and its cgroups at times")
	b := newSerial(t)
	b.write()
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range jobs {
				if err := b.contend(i); err != nil {
					t.Errorf("container %d: %v", i, err)
				}
			}
		})
	}
	for i := range contenders(t) {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	for _, mount := range cgroupMounts() {
		os.Remove(filepath.Join(mount, suite.prefix, b.id+"-all")) // the containers' own are below it
	}
	b.wantNoCgroups()
}

// contend is the life of one container. It may be called from any goroutine.
func (b *bundle) contend(i int) error {
	id := fmt.Sprintf("%s-c%d", b.id, i)
	dir := filepath.Join(b.dir, "contenders", id)
	if err := contender(dir, b.rootfs, id, b.id+"-all"); err != nil {
		return err
	}
	limit := 100 + i
	for _, line := range [][]string{
		{"create", "--bundle", dir, id}, {"start", id}, {"update", "--pids-limit", itoa(limit), "--cpu-share", "300", id},
		{"pause", id}, {"update", "--pids-limit", itoa(limit + 1), id}, {"resume", id}, {"exec", id, "/bin/true"}, {"ps", id},
		{"pause", id}, {"kill", "--all", id, "KILL"},
	} {
		if err := b.quietly(dir, line...); err != nil {
			return errors.Join(err, b.quietly(dir, "delete", "--force", id))
		}
		if line[0] == "resume" {
			if err := wantPidsMax(id, b.id+"-all", limit+1); err != nil {
				return errors.Join(err, b.quietly(dir, "delete", "--force", id))
			}
		}
	}
	if err := b.quietly(dir, "delete", "--force", id); err != nil {
		return err
	}
	if left := cgroupsNamed(id); len(left) > 0 {
		return fmt.Errorf("left: %v", left)
	}
	if exists(filepath.Join(b.root, id)) {
		return errors.New("its state is left")
	}
	return nil
}

// contender writes the bundle of one container, whose root the others share.
func contender(dir, rootfs, id, parent string) error {
	s := defaultSpec(id)
	s.Root.Path, s.Process.Args = rootfs, []string{"/bin/sleep", "1000"}
	s.Linux.CgroupsPath = suite.prefix + "/" + parent + "/" + id
	s.Linux.Resources.Pids = &specs.LinuxPids{Limit: ptr[int64](90)}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(dir+"/config.json", text, 0o644)
}

func wantPidsMax(id, parent string, want int) error {
	mount := "/sys/fs/cgroup"
	if layout == cgroup1 {
		mount += "/pids"
	}
	got, err := os.ReadFile(filepath.Join(mount, suite.prefix, parent, id, "pids.max"))
	if err == nil && strings.TrimSpace(string(got)) != itoa(want) {
		err = fmt.Errorf("pids.max is %s, want %d", got, want)
	}
	return err
}

// quietly runs the runtime; what it says is in the error.
func (b *bundle) quietly(dir string, line ...string) error {
	out, err := os.CreateTemp(dir, "out")
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := b.cmd(line...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		return fmt.Errorf("%v: %w: %s", line, err, text)
	}
	return nil
}
