package host

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tare/internal/sys"
)

// Rdt is what linux.intelRdt asks for (config-linux.md, IntelRdt).
type Rdt struct {
	Root      string // where resctrl is mounted, see ResctrlRoot
	Container string // its id: the group's name when CLOS is "", and the monitoring group's
	CLOS      string // closID; "/" is the root group
	L3, MemBW string // l3CacheSchema, memBwSchema
	Schemata  []string
	Monitor   bool
}

// RdtGroup is where the container's processes are in resctrl.
type RdtGroup struct {
	Dir string // control group
	Own bool   // made under the container's id: Remove takes it away
	Mon string // monitoring group, "" for none
}

// ErrNoResctrl says that there is no resctrl file system.
var ErrNoResctrl = errors.New("resctrl is not mounted (mount -t resctrl resctrl /sys/fs/resctrl)")

// ResctrlRoot finds the mount of resctrl in proc_pid_mounts(5); ErrNoResctrl.
func ResctrlRoot() (string, error) {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "", err
	}
	return findResctrl(b)
}

func findResctrl(mounts []byte) (string, error) {
	for line := range bytes.Lines(mounts) {
		if f := bytes.Fields(line); len(f) > 2 && string(f[2]) == "resctrl" {
			return sys.Unescape(string(f[1])), nil
		}
	}
	return "", ErrNoResctrl
}

// Dir is the control group's directory.
func (r *Rdt) Dir() string {
	switch r.CLOS {
	case "":
		return filepath.Join(r.Root, r.Container)
	case "/":
		return r.Root
	}
	return filepath.Join(r.Root, r.CLOS)
}

// lines are the schemata in the order in which they are written.
func (r *Rdt) lines() []string {
	var l []string
	for _, s := range append([]string{r.L3, r.MemBW}, r.Schemata...) {
		if s != "" {
			l = append(l, s)
		}
	}
	return l
}

// Create makes the groups and writes the schemata. When it fails nothing is left of it.
func (r *Rdt) Create() (g *RdtGroup, err error) {
	switch {
	case r.CLOS == "." || r.CLOS == ".." || r.CLOS != "/" && strings.ContainsRune(r.CLOS, '/'):
		return nil, fmt.Errorf("closID %q: not a name of a group", r.CLOS)
	case r.CLOS == "" && reserved(r.Container):
		return nil, fmt.Errorf("container id %q: a name of resctrl's own (set closID)", r.Container)
	}
	g = &RdtGroup{Dir: r.Dir()}
	made, err := r.makeGroup(g.Dir)
	if err != nil {
		return nil, r.explain(err)
	}
	g.Own = made && r.CLOS == ""
	defer func() {
		if err == nil {
			return
		}
		err = r.explain(err)
		if made {
			err = errors.Join(err, rmdir(g.Dir))
		}
		g = nil
	}()
	if made || r.CLOS == "" || r.CLOS == "/" {
		err = r.write(g.Dir)
	} else {
		err = r.compare(g.Dir)
	}
	if err != nil || !r.Monitor {
		return g, err
	}
	mon := filepath.Join(g.Dir, "mon_groups", r.Container)
	if err = os.Mkdir(mon, 0o755); err == nil {
		g.Mon = mon
	}
	return g, err
}

// reserved: the directories that resctrl itself has in its root.
func reserved(name string) bool {
	return name == "info" || name == "mon_data" || name == "mon_groups"
}

// makeGroup makes the group unless it must be there already.
func (r *Rdt) makeGroup(dir string) (made bool, err error) {
	if r.CLOS == "/" {
		return false, nil
	}
	if r.CLOS != "" && len(r.lines()) == 0 {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return false, fmt.Errorf("closID %q: no such group, and no schema to make one with", r.CLOS)
		}
		return false, nil
	}
	err = os.Mkdir(dir, 0o755)
	if errors.Is(err, unix.EEXIST) {
		return false, nil
	}
	return err == nil, err
}

// write writes the schemata, each in a write of its own.
func (r *Rdt) write(dir string) error {
	path := filepath.Join(dir, "schemata")
	for _, l := range r.lines() {
		if err := writeFile(path, l+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// compare makes sure that a group of others already has the schemata that are asked for.
func (r *Rdt) compare(dir string) error {
	want := r.lines()
	if len(want) == 0 {
		return nil
	}
	path := filepath.Join(dir, "schemata")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	have := make(map[string][]string)
	for line := range strings.Lines(string(b)) {
		name, domains := schema(line)
		have[name] = append(have[name], domains...)
	}
	for _, w := range want {
		name, domains := schema(w)
		for _, d := range domains {
			if !slices.Contains(have[name], d) {
				return fmt.Errorf("closID %q: %s does not have %q", r.CLOS, path, w)
			}
		}
	}
	return nil
}

// schema takes a line apart, and evens out the ways to write one: `L3:0=00f;1=FF`, ` L3: 1=ff; 0=f`.
func schema(line string) (name string, domains []string) {
	name, list, _ := strings.Cut(line, ":")
	for d := range strings.SplitSeq(list, ";") {
		id, mask, _ := strings.Cut(strings.TrimSpace(d), "=")
		mask = strings.ToLower(strings.TrimLeft(strings.TrimSpace(mask), "0"))
		domains = append(domains, strings.TrimSpace(id)+"="+mask)
	}
	return strings.TrimSpace(name), domains
}

// explain adds what resctrl has to say about the last write.
func (r *Rdt) explain(err error) error {
	b, rerr := os.ReadFile(filepath.Join(r.Root, "info", "last_cmd_status"))
	text := strings.TrimSpace(string(b))
	if rerr != nil || text == "" || text == "ok" {
		return err
	}
	return fmt.Errorf("%w (%s)", err, text)
}

// Join puts the process pid into the groups; its children follow.
func (g *RdtGroup) Join(pid int) error {
	p := strconv.Itoa(pid)
	if err := writeFile(filepath.Join(g.Dir, "tasks"), p); err != nil {
		return err
	}
	if g.Mon == "" {
		return nil
	}
	return writeFile(filepath.Join(g.Mon, "tasks"), p)
}

// Remove removes what was made for the container alone. It may be called again.
func (g *RdtGroup) Remove() error {
	var err error
	if g.Mon != "" {
		err = rmdir(g.Mon)
	}
	if g.Own {
		err = errors.Join(err, rmdir(g.Dir))
	}
	return err
}

func rmdir(path string) error {
	if err := unix.Rmdir(path); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("rmdir %q: %w", path, err)
	}
	return nil
}

// writeFile writes to a control file, which must exist, in one write.
func writeFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write %q %q: %w", path, strings.TrimSpace(text), errnoOf(err))
	}
	return nil
}
