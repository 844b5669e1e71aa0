package state

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The files of a container's directory.
const (
	recordName = "state.json"
	configName = "config.json"
	socketName = "start.sock"
	// notifyName is a directory, in which the sd_notify(3) socket of the container lies.
	notifyName       = "notify"
	notifySocketName = "notify.sock"
	// tempMark is what the names of unfinished files begin with.
	tempMark = ".tmp."
)

// ErrNoRecord says that a container's directory has no record (yet): create died very early, or is
// at work just now.
var ErrNoRecord = errors.New("container has no state yet")

// Load reads the record. ErrNoRecord; ErrNotFound when the directory is gone.
func (d *Dir) Load() (*Record, error) {
	b, err := d.read(recordName)
	if errors.Is(err, unix.ENOENT) {
		if ok, lerr := d.linked(); lerr == nil && !ok {
			return nil, ErrNotFound
		}
		return nil, ErrNoRecord
	}
	if err != nil {
		return nil, err
	}
	r, err := decode(b)
	if err != nil {
		return nil, d.errorf("read", recordName, err)
	}
	if r.ID != d.id {
		return nil, d.errorf("read", recordName, fmt.Errorf("record of container %q", r.ID))
	}
	return r, nil
}

// Save replaces the record: a reader sees the old one or the new one. A record with a pid must have
// its start time.
func (d *Dir) Save(r *Record) error {
	if r.Pid > 0 && r.StartTime == 0 {
		return d.errorf("write", recordName, fmt.Errorf("pid %d without its start time", r.Pid))
	}
	b, err := r.encode()
	if err != nil {
		return d.errorf("write", recordName, err)
	}
	return d.replace(recordName, b)
}

// LoadConfig reads the frozen configuration.
func (d *Dir) LoadConfig() ([]byte, error) { return d.read(configName) }

// SaveConfig freezes the configuration.
func (d *Dir) SaveConfig(b []byte) error { return d.replace(configName, b) }

// SocketPath is where to bind or connect the start socket. It goes through the directory's
// descriptor: a path below Root may not fit into the 108 bytes of sun_path. Valid until Close, in
// this process only.
func (d *Dir) SocketPath() string { return d.fdPath() + "/" + socketName }

// RemoveSocket removes the start socket, which need not exist.
func (d *Dir) RemoveSocket() error { return d.unlink(socketName, 0) }

// MakeNotifyDir makes the directory of the sd_notify(3) socket. It returns its path on the host, which
// is what is bound into the container, and the path at which to bind the socket itself, valid until
// Close, in this process only.
func (d *Dir) MakeNotifyDir() (dir, socket string, err error) {
	err = unix.Mkdirat(d.fd, notifyName, 0o755)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return "", "", d.errorf("mkdir", notifyName, err)
	}
	return d.path + "/" + notifyName, d.fdPath() + "/" + notifyName + "/" + notifySocketName, nil
}

func (d *Dir) fdPath() string { return "/proc/self/fd/" + strconv.Itoa(d.fd) }

// Remove removes the files that tare has made, and the directory last: until then the ID is taken. It
// copes with a directory of which any part is missing. A file that tare does not know is left, and
// with it the directory: ENOTEMPTY.
func (d *Dir) Remove() error {
	names, err := d.temps()
	if err != nil {
		return err
	}
	if err := d.unlink(notifyName+"/"+notifySocketName, 0); err != nil {
		return err
	}
	if err := d.unlink(notifyName, unix.AT_REMOVEDIR); err != nil {
		return err
	}
	// The record goes last of the files: while it is there a delete that was killed can be repeated.
	for _, name := range append(names, socketName, configName, recordName) {
		if err := d.unlink(name, 0); err != nil {
			return err
		}
	}
	// Somebody else may have removed it and made it anew.
	if ok, err := d.linked(); err != nil || !ok {
		return err
	}
	if err := unix.Rmdir(d.path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("rmdir %q: %w", d.path, err)
	}
	return nil
}

// temps lists what killed writers have left behind.
func (d *Dir) temps() ([]string, error) {
	// The descriptor is ours alone, and so is its offset; os.Open would ask the poller.
	if _, err := unix.Seek(d.fd, 0, io.SeekStart); err != nil {
		return nil, d.errorf("read", ".", err)
	}
	var names []string
	for buf := make([]byte, 2048); ; {
		n, err := unix.ReadDirent(d.fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case n <= 0 && (err == nil || errors.Is(err, unix.ENOENT)): // a removed directory is empty
			return names, nil
		case err != nil:
			return nil, d.errorf("read", ".", err)
		}
		var all []string
		_, _, all = unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range all {
			if strings.HasPrefix(name, tempMark) {
				names = append(names, name)
			}
		}
	}
}

func (d *Dir) unlink(name string, flags int) error {
	err := unix.Unlinkat(d.fd, name, flags)
	if err == nil || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return d.errorf("unlink", name, err)
}

// replace writes a file beside name and renames it. There is no fsync: the root directory is on a
// tmpfs, and no container survives what would lose the file.
func (d *Dir) replace(name string, b []byte) error {
	temp := tempMark + name + "." + strconv.Itoa(os.Getpid())
	fd, err := openRetry(d.fd, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return d.errorf("create", temp, err)
	}
	err = writeAll(fd, b)
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err == nil {
		err = unix.Renameat(d.fd, temp, d.fd, name)
	}
	if err != nil {
		unix.Unlinkat(d.fd, temp, 0)
		return d.errorf("write", name, err)
	}
	return nil
}

func (d *Dir) read(name string) ([]byte, error) {
	fd, err := openRetry(d.fd, name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, d.errorf("open", name, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, d.errorf("fstat", name, err)
	}
	// One byte more than there should be, to see that there is no more.
	b := make([]byte, 0, st.Size+1)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := unix.Read(fd, b[len(b):cap(b)])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, d.errorf("read", name, err)
		}
		if n == 0 {
			return b, nil
		}
		b = b[:len(b)+n]
	}
}

func writeAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrShortWrite
		}
		b = b[n:]
	}
	return nil
}
