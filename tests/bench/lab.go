package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

type runtimeUnderTest struct {
	name, path string
	onlyRun    bool // has no command but run
	version    string
	stateRoot  string
	runBundle  string // its container ends at once
	waitBundle string // its container waits to be killed
	cgroup     string // cgroupsPath of both
	id         string
}

// lab is the prepared place: a bundle for every runtime, equal but for the cgroup's name.
type lab struct {
	settings
	work string
	spec []byte // the default config.json, as the first runtime that can makes it
	errs *os.File
}

// part is one table of the report.
type part struct {
	title   string
	measure func() ([]series, error)
	table   func(io.Writer, string, []series)
}

func newLab(s settings) (*lab, error) {
	work, err := os.MkdirTemp(s.dir, "work-")
	if err != nil {
		return nil, err
	}
	l := &lab{settings: s, work: work}
	if err := l.prepare(); err != nil {
		l.clean()
		return nil, err
	}
	return l, nil
}

func (l *lab) prepare() (err error) {
	if l.errs, err = os.Create(filepath.Join(l.work, "stderr")); err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(l.dir, "payload"), filepath.Join(l.work, "measure")); err != nil {
		return err
	}
	if l.spec, err = l.defaultSpec(); err != nil {
		return err
	}
	for i := range l.runtimes {
		r := &l.runtimes[i]
		r.id = fmt.Sprintf("tare-bench-%d-%s", os.Getpid(), r.name)
		r.cgroup = "/" + r.id
		r.stateRoot = filepath.Join(stateRoots, fmt.Sprintf("tare-bench-%d", os.Getpid()), r.name)
		r.runBundle = filepath.Join(l.work, r.name, "run")
		r.waitBundle = filepath.Join(l.work, r.name, "wait")
		if !r.onlyRun {
			out, err := exec.Command(r.path, "--version").Output()
			if err != nil {
				return fmt.Errorf("%s --version: %w", r.path, err)
			}
			r.version, _, _ = strings.Cut(string(out), "\n")
		}
		if err := os.MkdirAll(r.stateRoot, 0o700); err != nil {
			return err
		}
		if err := l.bundle(r, r.runBundle, "true", 0); err != nil {
			return err
		}
		if err := l.bundle(r, r.waitBundle, "pause", 0); err != nil {
			return err
		}
	}
	return nil
}

// stateRoots is where runtimes keep their state by default: a tmpfs, in the lab as on most machines.
const stateRoots = "/run"

// defaultSpec is what `runc spec` writes, or another runtime's where there is no runc.
func (l *lab) defaultSpec() ([]byte, error) {
	for _, name := range []string{"runc", "crun", "tare"} {
		for _, r := range l.runtimes {
			if r.name != name {
				continue
			}
			dir := filepath.Join(l.work, "spec")
			if err := os.Mkdir(dir, 0o755); err != nil {
				return nil, err
			}
			cmd := exec.Command(r.path, "spec")
			cmd.Dir = dir
			if out, err := cmd.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("%s spec: %w: %s", name, err, out)
			}
			return os.ReadFile(filepath.Join(dir, "config.json"))
		}
	}
	return nil, errors.New("none of the runtimes can write a default config.json")
}

// bundle makes a bundle in dir whose process is arg; memory is a limit in bytes, or 0.
func (l *lab) bundle(r *runtimeUnderTest, dir, arg string, memory int64) error {
	bin := filepath.Join(dir, "rootfs", "bin")
	for _, d := range []string{bin, filepath.Join(dir, "rootfs/proc"), filepath.Join(dir, "rootfs/dev"), filepath.Join(dir, "rootfs/sys")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	payload, err := os.ReadFile(filepath.Join(l.dir, "payload"))
	if err != nil {
		return err
	}
	for _, name := range []string{"true", "pause"} {
		if err := os.WriteFile(filepath.Join(bin, name), payload, 0o755); err != nil {
			return err
		}
	}
	config, err := configure(l.spec, arg, r.cgroup, memory)
	if err != nil {
		return err
	}
	floor := fmt.Sprintf("arg /bin/%s\ncgroup %s\n", arg, r.cgroup)
	if memory > 0 {
		floor += fmt.Sprintf("memory %d\n", memory)
	}
	if err := os.WriteFile(filepath.Join(dir, "floor.conf"), []byte(floor), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644)
}

// configure changes a default config.json: no terminal, other args, a cgroup of our own, a limit.
func configure(spec []byte, arg, cgroup string, memory int64) ([]byte, error) {
	var c map[string]any
	if err := json.Unmarshal(spec, &c); err != nil {
		return nil, fmt.Errorf("default config.json: %w", err)
	}
	process, ok1 := c["process"].(map[string]any)
	linux, ok2 := c["linux"].(map[string]any)
	if !ok1 || !ok2 {
		return nil, errors.New("default config.json: process or linux is missing")
	}
	process["terminal"] = false
	process["args"] = []string{arg}
	linux["cgroupsPath"] = cgroup
	if memory > 0 {
		resources, ok := linux["resources"].(map[string]any)
		if !ok {
			return nil, errors.New("default config.json: linux.resources is missing")
		}
		resources["memory"] = map[string]any{"limit": memory}
	}
	return json.MarshalIndent(c, "", "\t")
}

func (l *lab) describe() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Kernel %s, %d CPUs, %s, load average %s. Runtimes:", kernel(), runtime.NumCPU(), cgroups(), load())
	for _, r := range l.runtimes {
		if r.onlyRun {
			fmt.Fprintf(&b, " %s;", r.name)
			continue
		}
		fmt.Fprintf(&b, " %s;", r.version)
	}
	return strings.TrimSuffix(b.String(), ";") + ".\n"
}

func (l *lab) parts() []part {
	var p []part
	add := func(n int, title string, measure func() ([]series, error), table func(io.Writer, string, []series)) {
		if n > 0 {
			p = append(p, part{title, measure, table})
		}
	}
	add(l.lone, fmt.Sprintf("`run`, lone starts (%v apart)", l.pause), func() ([]series, error) { return l.measureRun("lone", l.lone, l.pause) }, timeTable)
	add(l.runs, "`run`, back to back", func() ([]series, error) { return l.measureRun("back-to-back", l.runs, 0) }, timeTable)
	add(l.cycles, "`create`, `state`, `start`, `exec`, `kill`, `delete`", l.measureCycle, timeTable)
	add(l.rss, "Peak RSS of the largest process, KiB", l.measureMemory, memoryTable)
	add(l.limits, "Smallest memory limit at which `run` works, KiB", l.measureLimits, memoryTable)
	return p
}

func (l *lab) clean() {
	for i := range l.runtimes {
		l.forget(&l.runtimes[i])
	}
	os.RemoveAll(l.work)
	for _, r := range l.runtimes {
		os.RemoveAll(r.stateRoot)
		os.Remove(filepath.Dir(r.stateRoot))
	}
}

// forget removes what a runtime that failed may have left: container, state, cgroups.
func (l *lab) forget(r *runtimeUnderTest) {
	if !r.onlyRun && r.id != "" {
		exec.Command(r.path, "--root", r.stateRoot, "delete", "--force", r.id).Run()
	}
	for _, dir := range r.cgroupDirs() {
		os.Remove(dir)
	}
}

// cgroupDirs are the cgroups of r's container that exist.
func (r *runtimeUnderTest) cgroupDirs() (dirs []string) {
	if r.cgroup == "" {
		return nil
	}
	for _, pattern := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		found, _ := filepath.Glob(pattern + r.cgroup) // the patterns are well-formed
		for _, d := range found {
			var fs unix.Statfs_t
			if unix.Statfs(d, &fs) == nil && (fs.Type == unix.CGROUP_SUPER_MAGIC || fs.Type == unix.CGROUP2_SUPER_MAGIC) {
				dirs = append(dirs, d)
			}
		}
	}
	return dirs
}

// leftovers says which cgroups a runtime has left behind, and removes them.
func (l *lab) leftovers() error {
	var errs []error
	for _, r := range l.runtimes {
		for _, d := range r.cgroupDirs() {
			errs = append(errs, fmt.Errorf("%s left %s behind (removing it: %v)", r.name, d, os.Remove(d)))
		}
	}
	return errors.Join(errs...)
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Fields(string(b))[0]
}

func cgroups() string {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return "cgroup v2"
	}
	return "cgroup v1"
}
