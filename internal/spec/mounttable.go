package spec

import (
	"sort"

	"golang.org/x/sys/unix"
)

type optionKind uint8

const (
	optNothing optionKind = iota // defaults
	optSet
	optClear
	optBind
	optPropagation
	optRecSet
	optRecClear
	optSuperRecursive
	optTmpCopyUp
	optIDMap
	optRIDMap
	optCopySymlink
	optSrcNoFollow
	optDestNoFollow
)

type mountOption struct {
	name  string
	kind  optionKind
	atime bool // bits are an access-time mode of mount_setattr(2)
	bits  uint64
}

// mountOptionTable is sorted by name; lookups are binary.
var mountOptionTable = [...]mountOption{
	{name: "async", kind: optClear, bits: unix.MS_SYNCHRONOUS},
	{name: "atime", kind: optClear, bits: unix.MS_NOATIME},
	{name: "bind", kind: optBind, bits: unix.MS_BIND},
	{name: "copy-symlink", kind: optCopySymlink},
	{name: "defaults"},
	{name: "dest-nofollow", kind: optDestNoFollow},
	{name: "dev", kind: optClear, bits: unix.MS_NODEV},
	{name: "diratime", kind: optClear, bits: unix.MS_NODIRATIME},
	{name: "dirsync", kind: optSet, bits: unix.MS_DIRSYNC},
	{name: "exec", kind: optClear, bits: unix.MS_NOEXEC},
	{name: "idmap", kind: optIDMap},
	{name: "iversion", kind: optSet, bits: unix.MS_I_VERSION},
	{name: "lazytime", kind: optSet, bits: unix.MS_LAZYTIME},
	{name: "loud", kind: optClear, bits: unix.MS_SILENT},
	{name: "mand", kind: optSet, bits: unix.MS_MANDLOCK},
	{name: "noatime", kind: optSet, bits: unix.MS_NOATIME},
	{name: "nodev", kind: optSet, bits: unix.MS_NODEV},
	{name: "nodiratime", kind: optSet, bits: unix.MS_NODIRATIME},
	{name: "noexec", kind: optSet, bits: unix.MS_NOEXEC},
	{name: "noiversion", kind: optClear, bits: unix.MS_I_VERSION},
	{name: "nolazytime", kind: optClear, bits: unix.MS_LAZYTIME},
	{name: "nomand", kind: optClear, bits: unix.MS_MANDLOCK},
	{name: "norelatime", kind: optClear, bits: unix.MS_RELATIME},
	{name: "nostrictatime", kind: optClear, bits: unix.MS_STRICTATIME},
	{name: "nosuid", kind: optSet, bits: unix.MS_NOSUID},
	{name: "nosymfollow", kind: optSet, bits: unix.MS_NOSYMFOLLOW},
	{name: "private", kind: optPropagation, bits: unix.MS_PRIVATE},
	{name: "rasync", kind: optSuperRecursive},
	{name: "ratime", kind: optRecClear, atime: true, bits: unix.MOUNT_ATTR_NOATIME},
	{name: "rbind", kind: optBind, bits: unix.MS_BIND | unix.MS_REC},
	{name: "rdev", kind: optRecClear, bits: unix.MOUNT_ATTR_NODEV},
	{name: "rdiratime", kind: optRecClear, bits: unix.MOUNT_ATTR_NODIRATIME},
	{name: "rdirsync", kind: optSuperRecursive},
	{name: "relatime", kind: optSet, bits: unix.MS_RELATIME},
	{name: "remount", kind: optSet, bits: unix.MS_REMOUNT},
	{name: "rexec", kind: optRecClear, bits: unix.MOUNT_ATTR_NOEXEC},
	{name: "ridmap", kind: optRIDMap},
	{name: "rmand", kind: optSuperRecursive},
	{name: "rnoatime", kind: optRecSet, atime: true, bits: unix.MOUNT_ATTR_NOATIME},
	{name: "rnodev", kind: optRecSet, bits: unix.MOUNT_ATTR_NODEV},
	{name: "rnodiratime", kind: optRecSet, bits: unix.MOUNT_ATTR_NODIRATIME},
	{name: "rnoexec", kind: optRecSet, bits: unix.MOUNT_ATTR_NOEXEC},
	{name: "rnomand", kind: optSuperRecursive},
	{name: "rnorelatime", kind: optRecClear, atime: true, bits: unix.MOUNT_ATTR_RELATIME},
	{name: "rnostrictatime", kind: optRecClear, atime: true, bits: unix.MOUNT_ATTR_STRICTATIME},
	{name: "rnosuid", kind: optRecSet, bits: unix.MOUNT_ATTR_NOSUID},
	{name: "rnosymfollow", kind: optRecSet, bits: unix.MOUNT_ATTR_NOSYMFOLLOW},
	{name: "ro", kind: optSet, bits: unix.MS_RDONLY},
	{name: "rprivate", kind: optPropagation, bits: unix.MS_PRIVATE | unix.MS_REC},
	{name: "rrelatime", kind: optRecSet, atime: true, bits: unix.MOUNT_ATTR_RELATIME},
	{name: "rro", kind: optRecSet, bits: unix.MOUNT_ATTR_RDONLY},
	{name: "rrw", kind: optRecClear, bits: unix.MOUNT_ATTR_RDONLY},
	{name: "rshared", kind: optPropagation, bits: unix.MS_SHARED | unix.MS_REC},
	{name: "rslave", kind: optPropagation, bits: unix.MS_SLAVE | unix.MS_REC},
	{name: "rstrictatime", kind: optRecSet, atime: true, bits: unix.MOUNT_ATTR_STRICTATIME},
	{name: "rsuid", kind: optRecClear, bits: unix.MOUNT_ATTR_NOSUID},
	{name: "rsymfollow", kind: optRecClear, bits: unix.MOUNT_ATTR_NOSYMFOLLOW},
	{name: "rsync", kind: optSuperRecursive},
	{name: "runbindable", kind: optPropagation, bits: unix.MS_UNBINDABLE | unix.MS_REC},
	{name: "rw", kind: optClear, bits: unix.MS_RDONLY},
	{name: "shared", kind: optPropagation, bits: unix.MS_SHARED},
	{name: "silent", kind: optSet, bits: unix.MS_SILENT},
	{name: "slave", kind: optPropagation, bits: unix.MS_SLAVE},
	{name: "src-nofollow", kind: optSrcNoFollow},
	{name: "strictatime", kind: optSet, bits: unix.MS_STRICTATIME},
	{name: "suid", kind: optClear, bits: unix.MS_NOSUID},
	{name: "symfollow", kind: optClear, bits: unix.MS_NOSYMFOLLOW},
	{name: "sync", kind: optSet, bits: unix.MS_SYNCHRONOUS},
	{name: "tmpcopyup", kind: optTmpCopyUp},
	{name: "unbindable", kind: optPropagation, bits: unix.MS_UNBINDABLE},
}

func lookupOption(name string) (mountOption, bool) {
	i := sort.Search(len(mountOptionTable), func(i int) bool { return mountOptionTable[i].name >= name })
	if i < len(mountOptionTable) && mountOptionTable[i].name == name {
		return mountOptionTable[i], true
	}
	return mountOption{}, false
}

// KnownMountOptions lists, sorted, the options that are honoured by name and
// not handed to the filesystem: the mountOptions of the features command. The
// r-forms of superblock flags are known only in order to be refused and are
// not listed.
func KnownMountOptions() []string {
	names := make([]string, 0, len(mountOptionTable))
	for _, o := range mountOptionTable {
		if o.kind != optSuperRecursive {
			names = append(names, o.name)
		}
	}
	return names
}
