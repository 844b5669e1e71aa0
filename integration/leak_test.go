package integration

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// end deletes what the case left on purpose, checks that nothing else is left, and removes the case's files.
func (b *bundle) end() {
	if b.live {
		if r := b.tare("delete", "--force", b.id); r.code != 0 {
			b.t.Errorf("cleanup: %v", r)
		}
	}
	var left []string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) { // killed processes take a moment
		if left = b.leaks(); len(left) == 0 || time.Now().After(end) {
			break
		}
	}
	for _, l := range left {
		b.t.Errorf("leak: %s", l)
	}
	if len(left) > 0 {
		b.sweep()
	}
	if err := os.RemoveAll(b.dir); err != nil {
		b.t.Errorf("cleanup: %v", err)
	}
}

// leaks lists all that is left of the case.
func (b *bundle) leaks() []string {
	var out []string
	for _, pid := range b.processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		out = append(out, fmt.Sprintf("process %d %q", pid, cmdline))
	}
	for _, line := range mountLines() {
		if strings.Contains(line, b.dir+"/") {
			out = append(out, "mount "+line)
		}
	}
	for _, dir := range cgroupsNamed(b.id) {
		out = append(out, "cgroup "+dir)
	}
	entries, _ := os.ReadDir(b.root)
	for _, e := range entries {
		if e.Name() != "@seccomp" && !slices.Contains(b.beside, e.Name()) { // compiled filters outlive their container
			out = append(out, "state "+e.Name())
		}
	}
	return append(out, b.newFiles()...)
}

// newFiles lists what changed in the rootfs since the config was written.
func (b *bundle) newFiles() []string {
	if b.before == nil {
		return nil
	}
	var out []string
	after := treeOf(b.rootfs)
	for path, what := range after {
		allowed := slices.ContainsFunc(b.allow, func(a string) bool { return path == a || strings.HasPrefix(path, a+"/") })
		if b.before[path] != what && !allowed {
			out = append(out, fmt.Sprintf("rootfs %s: was %q, is %q", path, b.before[path], what))
		}
	}
	for path := range b.before {
		if _, ok := after[path]; !ok && !slices.Contains(b.allow, path) {
			out = append(out, "rootfs: gone: "+path)
		}
	}
	return out
}

// treeOf describes every file below dir: kind, mode, owner.
func treeOf(dir string) map[string]string {
	out := map[string]string{}
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		st := info.Sys().(*syscall.Stat_t)
		rel, _ := filepath.Rel(dir, path)
		out[rel] = fmt.Sprint(info.Mode(), st.Uid, st.Gid)
		return nil
	})
	return out
}

// cgroupsNamed lists the cgroup directories, at most three levels deep, whose name holds id.
func cgroupsNamed(id string) []string {
	var out []string
	for _, mount := range cgroupMounts() {
		out = append(out, dirsNamed(mount, id, 3)...)
		if own := filepath.Dir(suite.prefix); own != "/" { // what a plain caller has lies deep
			out = append(out, dirsNamed(mount+own, id, 4)...)
		}
	}
	return out
}

func dirsNamed(parent, id string, depth int) []string {
	var out []string
	entries, _ := os.ReadDir(parent) // which tells directories from files without asking for each
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		dir, name := parent+"/"+e.Name(), e.Name()
		if i := strings.Index(name, id); i >= 0 && (i+len(id) == len(name) || name[i+len(id)] < '0' || name[i+len(id)] > '9') {
			out = append(out, dir)
		}
		if depth > 1 {
			out = append(out, dirsNamed(dir, id, depth-1)...)
		}
	}
	return out
}

// anothers tells that a process is another case's: it may have got a copy of the host's mounts when this case
// had one among them.
func anothers(dir string) bool {
	return holds(dir+"/environ", "TARE_IT=") || holds(dir+"/cmdline", suite.base+"/")
}

// processes lists the processes that belong to the case: by cgroup, by environment or command line, or by a mount of
// its rootfs.
func (b *bundle) processes() []int {
	marker := b.id + "\x00"
	own, _ := os.Readlink("/proc/self/ns/mnt")
	var out []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() || suite.older[pid] || !alive(pid) {
			continue
		}
		dir := "/proc/" + e.Name()
		if holds(dir+"/environ", "TARE_IT="+marker) || holds(dir+"/cmdline", marker) || holds(dir+"/cmdline", b.dir+"/") ||
			holds(dir+"/cgroup", "/"+b.id+"\n") || holds(dir+"/cgroup", "/"+b.id+"/") || mountsHere(dir, own, b.dir) && !anothers(dir) {
			out = append(out, pid)
		}
	}
	return out
}

// mountsHere tells whether the process has a mount namespace of its own with a mount of the case in it.
func mountsHere(dir, own, want string) bool {
	ns, err := os.Readlink(dir + "/ns/mnt")
	return err == nil && ns != own && holds(dir+"/mountinfo", want+"/")
}

func holds(path, text string) bool {
	data, err := os.ReadFile(path)
	return err == nil && strings.Contains(string(data), text)
}

// sweep removes what a failed case left, so that it cannot disturb others.
func (b *bundle) sweep() {
	for _, pid := range b.processes() {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	for range 100 {
		left := cgroupsNamed(b.id)
		for _, dir := range left {
			os.WriteFile(dir+"/freezer.state", []byte("THAWED"), 0)
			os.Remove(dir)
		}
		if len(left) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, line := range mountLines() {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], b.dir+"/") {
			syscall.Unmount(f[4], syscall.MNT_DETACH)
		}
	}
}
