package spec

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxDocument bounds what is read of a document, in bytes. The largest real
// ones (thousands of mounts, a seccomp profile) have less than one MiB.
const maxDocument = 32 << 20

// ConfigFile is the name of the configuration in a bundle.
const ConfigFile = "config.json"

// Load reads the configuration of the bundle directory: the file configFile,
// relative to the bundle unless absolute, or config.json if configFile is
// empty. It returns the bytes of the file too, for the frozen copy.
//
// Unknown properties and the sections of other platforms are skipped, of a
// property given twice the last counts. What is not JSON, or has the wrong
// type, is an error with line, column and path in the document. A missing file
// gives a *NotFoundError. Nothing is judged: see Validate.
func Load(bundle, configFile string) (*specs.Spec, []byte, error) {
	if configFile == "" {
		configFile = ConfigFile
	}
	path := configFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(bundle, path)
	}
	raw, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, &NotFoundError{File: configFile}
	} else if err != nil {
		return nil, nil, err
	}
	s, err := Parse(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s:%w", path, err)
	}
	return s, raw, nil
}

// NotFoundError says that a bundle has no configuration. It is ENOENT and so
// fs.ErrNotExist, but does not say so: engines take "no such file or directory"
// for a missing program.
type NotFoundError struct {
	// File is the name that was asked for.
	File string
}

// Error is the sentence that engines know.
func (e *NotFoundError) Error() string { return "JSON specification file " + e.File + " not found" }

// Unwrap gives the error number.
func (e *NotFoundError) Unwrap() error { return unix.ENOENT }

// LoadProcess reads a process document, as given to exec --process.
func LoadProcess(path string) (*specs.Process, error) {
	raw, err := readFile(path)
	if err != nil {
		return nil, err
	}
	p, err := ParseProcess(raw)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", path, err)
	}
	return p, nil
}

// LoadResources reads a resources document, as given to update --resources.
// Absent properties are nil: they are to stay as they are.
func LoadResources(r io.Reader) (*specs.LinuxResources, error) {
	raw, err := readAll(r, 0)
	if err != nil {
		return nil, fmt.Errorf("resources: %w", err)
	}
	res, err := ParseResources(raw)
	if err != nil {
		return nil, fmt.Errorf("resources:%w", err)
	}
	return res, nil
}

// LoadMounts reads a list of mounts, as given to mounts add and mounts remove.
func LoadMounts(r io.Reader) ([]specs.Mount, error) {
	raw, err := readAll(r, 0)
	if err != nil {
		return nil, fmt.Errorf("mounts: %w", err)
	}
	mounts, err := ParseMounts(raw)
	if err != nil {
		return nil, fmt.Errorf("mounts:%w", err)
	}
	return mounts, nil
}

// readFile reads through bare system calls: the first file that package os
// opens in a process sets up its poller, and a regular file has no use for it.
func readFile(path string) ([]byte, error) {
	fd, err := retry(func() (int, error) { return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	raw, err := readAll(fdReader(fd), info.Size)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return raw, nil
}

// fdReader reads from a file descriptor that somebody else owns.
type fdReader int

func (fd fdReader) Read(p []byte) (int, error) {
	n, err := retry(func() (int, error) { return unix.Read(int(fd), p) })
	switch {
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

func retry(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}

// readAll reads to the end, but no more than maxDocument. The hint is the size
// to expect, 0 if unknown.
func readAll(r io.Reader, hint int64) ([]byte, error) {
	if hint <= 0 || hint > maxDocument {
		hint = 4096
	}
	buf := make([]byte, 0, hint+1) // one more: to meet the end without growing
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > maxDocument:
			return nil, fmt.Errorf("larger than %d bytes", maxDocument)
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}
