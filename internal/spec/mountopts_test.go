package spec

import (
	"errors"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseMountOptions(t *testing.T) {
	const atime = unix.MOUNT_ATTR__ATIME
	for text, want := range map[string]MountOptions{
		"":                        {},
		"defaults":                {},
		"ro":                      {Flags: unix.MS_RDONLY},
		"rw":                      {ClearFlags: unix.MS_RDONLY},
		"ro rw":                   {ClearFlags: unix.MS_RDONLY},
		"rw ro":                   {Flags: unix.MS_RDONLY},
		"bind dev exec suid":      {Flags: unix.MS_BIND, ClearFlags: unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOSUID},
		"nosuid nodev noexec":     {Flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		"sync dirsync mand":       {Flags: unix.MS_SYNCHRONOUS | unix.MS_DIRSYNC | unix.MS_MANDLOCK},
		"sync async nomand":       {ClearFlags: unix.MS_SYNCHRONOUS | unix.MS_MANDLOCK},
		"noatime nodiratime":      {Flags: unix.MS_NOATIME | unix.MS_NODIRATIME},
		"atime diratime":          {ClearFlags: unix.MS_NOATIME | unix.MS_NODIRATIME},
		"relatime strictatime":    {Flags: unix.MS_RELATIME | unix.MS_STRICTATIME},
		"norelatime":              {ClearFlags: unix.MS_RELATIME},
		"nostrictatime":           {ClearFlags: unix.MS_STRICTATIME},
		"iversion lazytime":       {Flags: unix.MS_I_VERSION | unix.MS_LAZYTIME},
		"noiversion nolazytime":   {ClearFlags: unix.MS_I_VERSION | unix.MS_LAZYTIME},
		"silent nosymfollow":      {Flags: unix.MS_SILENT | unix.MS_NOSYMFOLLOW},
		"loud symfollow":          {ClearFlags: unix.MS_SILENT | unix.MS_NOSYMFOLLOW},
		"remount bind":            {Flags: unix.MS_REMOUNT | unix.MS_BIND},
		"rbind":                   {Flags: unix.MS_BIND | unix.MS_REC},
		"rbind bind":              {Flags: unix.MS_BIND | unix.MS_REC}, // as CRI-O writes it
		"shared rslave":           {Propagation: []uint64{unix.MS_SHARED, unix.MS_SLAVE | unix.MS_REC}},
		"private unbindable":      {Propagation: []uint64{unix.MS_PRIVATE, unix.MS_UNBINDABLE}},
		"rprivate runbindable":    {Propagation: []uint64{unix.MS_PRIVATE | unix.MS_REC, unix.MS_UNBINDABLE | unix.MS_REC}},
		"slave rshared":           {Propagation: []uint64{unix.MS_SLAVE, unix.MS_SHARED | unix.MS_REC}},
		"rro rnosuid rnodev":      {RecSet: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV},
		"rrw rsuid rdev":          {RecClr: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV},
		"rro rrw":                 {RecClr: unix.MOUNT_ATTR_RDONLY},
		"rrw rro":                 {RecSet: unix.MOUNT_ATTR_RDONLY},
		"rnoexec rnodiratime":     {RecSet: unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NODIRATIME},
		"rexec rdiratime":         {RecClr: unix.MOUNT_ATTR_NOEXEC | unix.MOUNT_ATTR_NODIRATIME},
		"rnosymfollow":            {RecSet: unix.MOUNT_ATTR_NOSYMFOLLOW},
		"rsymfollow":              {RecClr: unix.MOUNT_ATTR_NOSYMFOLLOW},
		"rnoatime":                {RecSet: unix.MOUNT_ATTR_NOATIME, RecClr: atime},
		"ratime":                  {RecClr: atime},
		"rnoatime ratime":         {RecClr: atime},
		"rstrictatime ratime":     {RecSet: unix.MOUNT_ATTR_STRICTATIME, RecClr: atime},
		"rnoatime rstrictatime":   {RecSet: unix.MOUNT_ATTR_STRICTATIME, RecClr: atime},
		"rstrictatime rnoatime":   {RecSet: unix.MOUNT_ATTR_NOATIME, RecClr: atime},
		"rnoatime rrelatime":      {RecClr: atime},
		"rnorelatime":             {RecClr: atime},
		"rnostrictatime":          {RecClr: atime},
		"rnoatime rnostrictatime": {RecSet: unix.MOUNT_ATTR_NOATIME, RecClr: atime},
		"mode=755 size=1k x":      {Data: []string{"mode=755", "size=1k", "x"}},
		"RO":                      {Data: []string{"RO"}},
		"tmpcopyup":               {TmpCopyUp: true},
		"idmap":                   {IDMap: true},
		"idmap ridmap":            {RIDMap: true},
		"copy-symlink":            {CopySymlink: true},
		"src-nofollow":            {SrcNoFollow: true},
		"dest-nofollow":           {DestNoFollow: true},
		"idmap=uids=1-2-3;gids=4-5-6": {IDMap: true, IDMapping: &IDMapping{
			UIDs: []IDRange{{FSID: 1, HostID: 2, Size: 3}}, GIDs: []IDRange{{FSID: 4, HostID: 5, Size: 6}}}},
		"ridmap=gids=4-5-6;uids=@1-2-3#7-8-9": {RIDMap: true, IDMapping: &IDMapping{
			UIDs: []IDRange{{FSID: 1, HostID: 2, Size: 3, Relative: true}, {FSID: 7, HostID: 8, Size: 9}}, GIDs: []IDRange{{FSID: 4, HostID: 5, Size: 6}}}},
	} {
		got, err := ParseMountOptions(strings.Split(text, " "))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n got %+v, %v\nwant %+v", text, got, err, want)
		}
	}
}

func TestParseMountOptionsErrors(t *testing.T) {
	for _, bad := range []string{"rsync", "rasync", "rdirsync", "rmand", "rnomand", "a\x00b", "idmap=", "idmap=x", "ridmap=uids=1-2-3"} {
		got, err := ParseMountOptions([]string{"ro", bad, "nosuid"})
		var at *OptionError
		if !errors.As(err, &at) || at.Index != 1 || at.Option != bad || at.Reason == "" {
			t.Errorf("%q: error %v", bad, err)
		}
		if got.Flags != unix.MS_RDONLY|unix.MS_NOSUID {
			t.Errorf("%q: the other options were lost: %+v", bad, got)
		}
	}
}

func TestAttributes(t *testing.T) {
	for text, want := range map[string][2]uint64{
		"":                    {0, 0},
		"bind ro nosuid":      {unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID, 0},
		"rw dev noexec":       {unix.MOUNT_ATTR_NOEXEC, unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV},
		"nodiratime":          {unix.MOUNT_ATTR_NODIRATIME, 0},
		"nosymfollow sync":    {unix.MOUNT_ATTR_NOSYMFOLLOW, 0},
		"noatime":             {unix.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR__ATIME},
		"relatime":            {unix.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR__ATIME},
		"atime":               {unix.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR__ATIME},
		"noatime strictatime": {unix.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR__ATIME},
	} {
		o, err := ParseMountOptions(strings.Split(text, " "))
		if err != nil {
			t.Fatal(err)
		}
		if set, clr := o.Attributes(); set != want[0] || clr != want[1] {
			t.Errorf("%q: set %#x clr %#x, want %#x", text, set, clr, want)
		}
	}
	o, _ := ParseMountOptions([]string{"rbind", "remount", "ro", "sync", "a", "b=c"})
	if !o.Bind() || !o.RBind() || !o.Remount() || !o.ReadOnly() || o.SuperFlags() != unix.MS_SYNCHRONOUS || o.DataString() != "a,b=c" {
		t.Errorf("predicates: %+v", o)
	}
	if o, _ = ParseMountOptions([]string{"bind"}); !o.Bind() || o.RBind() || o.Remount() || o.ReadOnly() {
		t.Errorf("predicates: %+v", o)
	}
}

// The lookup is binary, and the features command prints the list sorted.
func TestMountOptionTable(t *testing.T) {
	if !sort.SliceIsSorted(mountOptionTable[:], func(i, j int) bool { return mountOptionTable[i].name < mountOptionTable[j].name }) {
		t.Error("table is not sorted")
	}
	known := KnownMountOptions()
	if !slices.IsSorted(known) || len(slices.Compact(slices.Clone(known))) != len(known) {
		t.Error("names are not sorted, or not once each")
	}
	// config.md, "Linux mount options".
	for name := range strings.FieldsSeq(`async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand
		noatime nodev nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow
		private ratime rbind rdev rdiratime relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime
		rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid
		rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap`) {
		if !slices.Contains(known, name) {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range known {
		if o, err := ParseMountOptions([]string{name}); err != nil || len(o.Data) > 0 {
			t.Errorf("%s is listed, but not honoured: %+v, %v", name, o, err)
		}
	}
}
