package facts

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tare/internal/plan"
	"tare/internal/sys"
)

// GatherDump looks into the container whose init is pid: what is mounted, where the paths lead, in whose
// namespaces it is.
func GatherDump(paths []string, pid int) (*plan.DumpFacts, error) {
	f := new(plan.DumpFacts)
	proc := "/proc/" + strconv.Itoa(pid)
	var err error
	if f.Mounted, err = mounts(proc + "/mountinfo"); err != nil {
		return nil, err
	}
	if f.Places, err = placesIn(proc+"/root", paths); err != nil {
		return nil, err
	}
	if f.NetNS, err = foreign(proc+"/ns/", "net"); err != nil {
		return nil, err
	}
	f.PidNS, err = foreign(proc+"/ns/", "pid")
	return f, err
}

// GatherRestore looks at what a container is to be restored from: its root file system and the files of
// the host that are mounted in it.
func GatherRestore(n plan.Needs, rootfs string, destinations, sources []string) (*plan.RestoreFacts, error) {
	base, err := Gather(n)
	if err != nil {
		return nil, err
	}
	f := &plan.RestoreFacts{HostNamespaces: base.HostNamespaces}
	if f.Places, err = placesIn(rootfs, destinations); err != nil {
		return nil, err
	}
	host, err := mounts("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for _, m := range host {
		f.HostMounts = append(f.HostMounts, m.Point)
	}
	f.Sources, err = placesIn("/", sources)
	return f, err
}

// foreign gives the inode number of a namespace, 0 when it is this process's own.
func foreign(dir, name string) (uint64, error) {
	var theirs, ours unix.Stat_t
	if err := unix.Stat(dir+name, &theirs); err != nil {
		return 0, &os.PathError{Op: "stat", Path: dir + name, Err: err}
	}
	if err := unix.Stat("/proc/self/ns/"+name, &ours); err != nil {
		return 0, &os.PathError{Op: "stat", Path: "/proc/self/ns/" + name, Err: err}
	}
	if theirs.Ino == ours.Ino && theirs.Dev == ours.Dev {
		return 0, nil
	}
	return theirs.Ino, nil
}

// mounts reads a mountinfo file (proc_pid_mountinfo(5)).
func mounts(file string) ([]plan.Mounted, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseMounts(string(b)), nil
}

func parseMounts(text string) []plan.Mounted {
	var all []plan.Mounted
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 4 {
			all = append(all, plan.Mounted{Point: sys.Unescape(f[4]), Device: f[2]})
		}
	}
	return all
}

// placesIn resolves paths beneath root, whose owner is not trusted: links lead nowhere else.
func placesIn(root string, paths []string) (map[string]plan.Place, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(dir)
	base, err := nameOf(dir)
	if err != nil {
		return nil, err
	}
	places := make(map[string]plan.Place, len(paths))
	for _, p := range paths {
		place, err := placeIn(dir, p)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%q beneath %q: %w", p, root, err)
		}
		if base != "/" {
			place.Path = "/" + strings.TrimPrefix(strings.TrimPrefix(place.Path, base), "/")
		}
		places[p] = place
	}
	return places, nil
}

// maxRaces bounds the retries of an openat2 that raced with a rename.
const maxRaces = 128

func placeIn(dir int, path string) (plan.Place, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := unix.Openat2(dir, path, &how)
	for range maxRaces {
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			break
		}
		fd, err = unix.Openat2(dir, path, &how)
	}
	if err != nil {
		return plan.Place{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return plan.Place{}, err
	}
	name, err := nameOf(fd)
	return plan.Place{Path: name, Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR}, err
}

func nameOf(fd int) (string, error) { return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd)) }
