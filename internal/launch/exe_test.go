package launch

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What syscall.ForkExec does to the child's descriptors must not reach the program's own, wherever it is.
func TestForkExecFindsTheProgramAtAnyNumber(t *testing.T) {
	path, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	// Numbers that nothing else of this process uses; ForkExec's pipe gets a low one.
	const base = 200
	at := func(file string, flags, fd int) {
		t.Helper()
		n, err := unix.Open(file, flags|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(n)
		if err := unix.Dup3(n, fd, unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
	}
	at(os.DevNull, unix.O_RDWR, base)
	for _, row := range []struct {
		name  string
		exe   int
		files []uintptr
	}{
		{"below the highest file", base - 1, []uintptr{base, base, base, base}},
		{"where the pipe is moved to", base + 1, []uintptr{base, base, base, base}},
		{"where a file is moved to", base + 2, []uintptr{base, 0, 1, base}},
		{"far above", base + 20, []uintptr{base, base, base, base}},
		{"among the numbers of the files", base / 2, manyFiles(base/2+1, base)},
	} {
		at(path, unix.O_PATH, row.exe)
		pid, err := forkExec(row.exe, []string{"true"}, &syscall.ProcAttr{Files: row.files})
		if err != nil {
			t.Errorf("%s: %v", row.name, err)
			continue
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || status != 0 {
			t.Errorf("%s: status %v, %v", row.name, status, err)
		}
	}
}

func manyFiles(n int, fd uintptr) []uintptr {
	files := make([]uintptr, n)
	for i := range files {
		files[i] = fd
	}
	return files
}
