package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"

	"tare/integration/report"
)

// announced is what tare's features says; the case is that of the caller.
func announced(t *testing.T, b *bundle) *features.Features {
	t.Helper()
	f := decode[features.Features](t, b.tare("features").ok(t).out)
	return &f
}

func TestEveryAnnouncedHookRuns(t *testing.T) {
	onlyTare(t, "what it announces")
	b := newBundle(t, args("/bin/true"))
	file := b.hostFile("hooks", "")
	b.mayLeave("data/hooks")
	for _, name := range announced(t, b).Hooks {
		b.edit(func(s *specs.Spec) {
			if s.Hooks == nil {
				s.Hooks = &specs.Hooks{}
			}
			h := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo " + name + " >>" + file}}}
			switch name {
			case "prestart":
				s.Hooks.Prestart = h //nolint:staticcheck // it is announced
			case "createRuntime":
				s.Hooks.CreateRuntime = h
			case "createContainer":
				s.Hooks.CreateContainer = h
			case "startContainer": // in the container's root
				h[0].Args[2] = "echo " + name + " >>/data/hooks"
				s.Hooks.StartContainer = h
			case "poststart":
				s.Hooks.Poststart = h
			case "poststop":
				s.Hooks.Poststop = h
			default:
				t.Errorf("%s: no case for it here", name)
			}
		})
	}
	b.run().ok(t)
	ran := readFile(t, file) + readFile(t, b.inRoot("data/hooks"))
	for _, name := range announced(t, b).Hooks {
		if !strings.Contains(ran, name+"\n") {
			t.Errorf("%s did not run", name)
		}
	}
}

func TestEveryAnnouncedNamespaceIsNew(t *testing.T) {
	onlyTare(t, "what it announces")
	b := newBundle(t)
	types := announced(t, b).Linux.Namespaces
	for _, typ := range types {
		if typ == "user" {
			b.edit(userNS)
		} else {
			b.edit(addNS(specs.LinuxNamespaceType(typ)))
		}
	}
	f := b.facts()
	for _, typ := range types {
		file := nsFile(specs.LinuxNamespaceType(typ))
		if got := f.NS[file]; got == "" || got == ownNS(t, file) {
			t.Errorf("%s: %q", typ, got)
		}
	}
}

func TestEveryAnnouncedCapabilityIsGiven(t *testing.T) {
	onlyTare(t, "what it announces")
	b := newBundle(t)
	all := announced(t, b).Linux.Capabilities
	b.edit(func(s *specs.Spec) {
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all, Inheritable: all, Ambient: all}
	})
	f := b.facts()
	own := readFile(t, "/proc/self/status")
	_, bounding, _ := strings.Cut(own, "CapBnd:\t")
	var has uint64
	if _, err := fmt.Sscanf(bounding, "%x", &has); err != nil {
		t.Fatal(err)
	}
	for nr, name := range all { // in the order of their numbers
		if has>>nr&1 == 0 {
			t.Logf("%s: this machine does not have it to give", name)
			continue
		}
		for _, set := range []string{"bounding", "effective", "permitted", "inheritable", "ambient"} {
			if !slices.Contains(f.Caps[set], name) {
				t.Errorf("%s is not %s", name, set)
			}
		}
	}
}

// optionRow is what a mount option does, as far as mountinfo shows it.
type optionRow struct {
	before []string // options ahead of it, for one that clears
	has    string   // a flag of the mount
	hasnt  string
	super  string // a flag of its superblock
	no     string // not a flag of its superblock
	silent bool   // nothing is to be seen: it is taken
	by     func(*testing.T)
}

// optionRows are all options; of one that begins with r and is recursive, a mount below has the flag, too.
func optionRows() map[string]optionRow {
	rows := map[string]optionRow{
		"defaults": {hasnt: "ro"}, "remount": {by: TestMountOptionRemountChangesTheMount},
		"sync": {super: "sync"}, "async": {before: []string{"sync"}, no: "sync"}, "dirsync": {super: "dirsync"},
		"lazytime": {super: "lazytime"}, "nolazytime": {before: []string{"lazytime"}, no: "lazytime"},
		// The kernel shows neither on a tmpfs, and has mandatory locks no more.
		"iversion": {silent: true}, "noiversion": {silent: true}, "mand": {silent: true}, "nomand": {silent: true},
		"silent": {silent: true}, "loud": {silent: true},
		"bind": {by: TestBindWithoutRecursionHidesSubmounts}, "rbind": {by: TestRecursiveAttributesReachSubmounts},
		"private": {by: TestMountPropagationOptions}, "shared": {by: TestMountPropagationOptions},
		"slave": {by: TestMountPropagationOptions}, "unbindable": {by: TestMountPropagationOptions},
		"rprivate": {by: TestEveryRecursivePropagationReachesSubmounts}, "rshared": {by: TestEveryRecursivePropagationReachesSubmounts},
		"rslave": {by: TestEveryRecursivePropagationReachesSubmounts}, "runbindable": {by: TestEveryRecursivePropagationReachesSubmounts},
		"tmpcopyup": {by: TestTmpcopyupCopiesWhatItHides}, "copy-symlink": {by: TestCopySymlinkMakesTheLinkInside},
		"src-nofollow": {by: TestSrcNofollowBindsTheLinkItself}, "dest-nofollow": {by: TestDestNofollowMountsOnTheLink},
		"idmap": {by: TestIdmapOptionUsesTheContainersMapping}, "ridmap": {by: TestRidmapReachesSubmounts},
	}
	for set, clear := range map[string]string{"ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec", "nosymfollow": "symfollow",
		"noatime": "atime", "nodiratime": "diratime"} {
		rows[set] = optionRow{has: set}
		rows[clear] = optionRow{before: []string{set}, hasnt: set}
		rows["r"+set] = optionRow{has: set}
		rows["r"+clear] = optionRow{before: []string{"r" + set}, hasnt: set}
	}
	// Of the flat ones all hold, and to the kernel noatime is more than relatime.
	rows["relatime"] = optionRow{has: "relatime"}
	rows["rrelatime"] = optionRow{before: []string{"rnoatime"}, has: "relatime", hasnt: "noatime"}
	// Without any of them the kernel's is relatime, so that clearing strictatime sets it.
	for _, r := range []string{"", "r"} {
		rows[r+"norelatime"] = optionRow{hasnt: "noatime"}
		rows[r+"strictatime"] = optionRow{hasnt: "relatime"}
		rows[r+"nostrictatime"] = optionRow{before: []string{r + "strictatime"}, has: "relatime"}
	}
	return rows
}

func TestEveryAnnouncedMountOptionHasItsEffect(t *testing.T) {
	onlyTare(t, "what it announces")
	b := newBundle(t)
	b.mayLeave("mnt")
	src := b.tmpfs("src")
	b.tmpfs("src/sub")
	rows := optionRows()
	shown := map[string]optionRow{}
	for i, opt := range announced(t, b).MountOptions {
		row, ok := rows[opt]
		switch {
		case !ok:
			t.Errorf("%s: nothing here says what it does", opt)
		case row.by == nil:
			dest := "/mnt/" + itoa(i)
			shown[dest+" "+opt] = row
			m := mnt(dest, "tmpfs", "t", append(row.before, opt)...)
			if recursive(opt) {
				m = mnt(dest, "bind", src, append(append([]string{"rbind"}, row.before...), opt)...)
			}
			b.edit(addMount(m))
		}
	}
	mounts := b.facts().Mounts
	for key, row := range shown {
		dest, opt, _ := strings.Cut(key, " ")
		row.check(t, opt, findMount(mounts, dest))
		if recursive(opt) {
			row.check(t, opt+" below", findMount(mounts, dest+"/sub"))
		}
	}
}

func recursive(opt string) bool {
	return strings.HasPrefix(opt, "r") && opt != "ro" && opt != "rw" && opt != "relatime" && opt != "remount"
}

func (row optionRow) check(t *testing.T, opt string, m report.Mount) {
	t.Helper()
	bad := m.Target == "" ||
		row.has != "" && !hasOption(m.Options, row.has) || row.hasnt != "" && hasOption(m.Options, row.hasnt) ||
		row.super != "" && !hasOption(m.Super, row.super) || row.no != "" && hasOption(m.Super, row.no)
	if bad {
		t.Errorf("%s: %+v, want %+v", opt, m, row)
	}
}

func TestMountOptionRemountChangesTheMount(t *testing.T) {
	onlyTare(t, "what it announces")
	b := newBundle(t, addMount(mnt("/mnt", "tmpfs", "t", "nosuid")))
	if m := b.mountOf(mnt("/mnt", "tmpfs", "t", "remount", "ro")); !hasOption(m.Options, "ro") && !hasOption(m.Super, "ro") {
		t.Errorf("%+v", m)
	}
}

func TestEveryRecursivePropagationReachesSubmounts(t *testing.T) {
	for opt, want := range map[string]string{"rprivate": "", "rshared": "shared:", "rslave": "master:", "runbindable": "unbindable"} {
		t.Run(opt, func(t *testing.T) {
			b := newBundle(t)
			src := b.sharedMount("src")
			b.sharedMount("src/sub")
			b.edit(addMount(mnt("/mnt", "bind", src, "rbind", opt)))
			f := b.facts()
			for _, target := range []string{"/mnt", "/mnt/sub"} {
				m := findMount(f.Mounts, target)
				if got := strings.Join(m.Optional, " "); m.Target == "" || want == "" && got != "" || !strings.HasPrefix(got, want) {
					t.Errorf("%s: %+v", target, m)
				}
			}
		})
	}
}
