package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"carriers/codec"
)

// bundle is a root file system that holds a static C program /bin/true.
type bundle struct{ dir string }

func newBundle() (*bundle, error) {
	dir, err := os.MkdirTemp("", "carriers-")
	if err != nil {
		return nil, err
	}
	b := &bundle{dir}
	for _, d := range []string{"bin", "proc", "dev", "old"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			b.remove()
			return nil, err
		}
	}
	src := filepath.Join(dir, "true.c")
	err = os.WriteFile(src, []byte("int main(void) { return 0; }\n"), 0o644)
	if err == nil {
		var out []byte
		if out, err = exec.Command("cc", "-O2", "-static", "-s", "-o", filepath.Join(dir, "bin/true"), src).CombinedOutput(); err != nil {
			err = fmt.Errorf("cc: %w: %s", err, out)
		}
	}
	if err != nil {
		b.remove()
		return nil, err
	}
	return b, nil
}

func (b *bundle) remove() { os.RemoveAll(b.dir) }

// steps are the ten; with wait the child meets its parent just before the last.
func (b *bundle) steps(wait bool) []codec.Step {
	const nsn = unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_NODEV
	keep := uint64(1<<unix.CAP_AUDIT_WRITE | 1<<unix.CAP_KILL | 1<<unix.CAP_NET_BIND_SERVICE)
	s := []codec.Step{
		{Op: codec.SetHostname, Str: []string{"carried"}},
		{Op: codec.Mount, Num: unix.MS_SLAVE | unix.MS_REC, Str: []string{"", "/", "", ""}},
		{Op: codec.Mount, Num: unix.MS_BIND | unix.MS_REC, Str: []string{b.dir, b.dir, "", ""}},
		{Op: codec.Mount, Num: nsn, Str: []string{"proc", b.dir + "/proc", "proc", ""}},
		{Op: codec.Mount, Num: unix.MS_NOSUID | unix.MS_STRICTATIME, Str: []string{"tmpfs", b.dir + "/dev", "tmpfs", "mode=755,size=65536k"}},
		{Op: codec.Pivot, Str: []string{b.dir, b.dir + "/old"}},
		{Op: codec.Umount, Num: unix.MNT_DETACH, Str: []string{"/old"}},
		{Op: codec.Chdir, Str: []string{"/"}},
		{Op: codec.Drop, Num: keep},
	}
	if wait {
		s = append(s, codec.Step{Op: codec.Barrier})
	}
	return append(s, codec.Step{Op: codec.Exec, Str: []string{"/bin/true"}})
}
