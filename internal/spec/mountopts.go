package spec

import (
	"strings"

	"golang.org/x/sys/unix"
)

// MountOptions is a mount's option list sorted by what the kernel has to be
// told, config.md "Linux mount options". Where options contradict each other
// the last one wins, as in mount(8).
type MountOptions struct {
	// Flags holds the MS_* bits to set, MS_BIND, MS_REC and MS_REMOUNT among
	// them, but never a propagation bit.
	Flags uint64
	// ClearFlags holds the MS_* bits that an option cleared by name (rw,
	// suid, dev and so on). A bind mount with nothing but these still has to
	// be remounted without them. No bit is in Flags and here.
	ClearFlags uint64
	// Propagation lists the MS_SHARED, MS_SLAVE, MS_PRIVATE and
	// MS_UNBINDABLE changes, or'ed with MS_REC, in the order given; each is a
	// mount(2) call of its own after the mount is made.
	Propagation []uint64
	// RecSet and RecClr are attr_set and attr_clr of one
	// mount_setattr(AT_RECURSIVE) call, made after Flags took effect. With
	// any access-time attribute RecClr holds MOUNT_ATTR__ATIME as well, which
	// the kernel asks for.
	RecSet, RecClr uint64
	// Data holds the options that only the filesystem knows, in order.
	Data []string
	// TmpCopyUp asks for a recursive copy of what a tmpfs is to hide.
	TmpCopyUp bool
	// IDMap asks for an id-mapped mount; RIDMap too, on the whole tree.
	IDMap, RIDMap bool
	// IDMapping is the mapping written into the option itself
	// (idmap=uids=…;gids=…), nil if there was none.
	IDMapping *IDMapping
	// CopySymlink recreates a symbolic link at the source instead of
	// following it.
	CopySymlink bool
	// SrcNoFollow and DestNoFollow forbid following a symbolic link as last
	// component of source and destination.
	SrcNoFollow, DestNoFollow bool
}

// Bind tells whether a bind mount was asked for, recursive or not.
func (o *MountOptions) Bind() bool { return o.Flags&unix.MS_BIND != 0 }

// RBind tells whether a recursive bind mount was asked for.
func (o *MountOptions) RBind() bool {
	return o.Flags&(unix.MS_BIND|unix.MS_REC) == unix.MS_BIND|unix.MS_REC
}

// Remount tells whether an existing mount is to be changed.
func (o *MountOptions) Remount() bool { return o.Flags&unix.MS_REMOUNT != 0 }

// ReadOnly tells whether the mount itself ends up read-only.
func (o *MountOptions) ReadOnly() bool { return o.Flags&unix.MS_RDONLY != 0 }

// DataString joins the filesystem's own options with commas, the data argument
// of mount(2).
func (o *MountOptions) DataString() string { return strings.Join(o.Data, ",") }

// superFlags are the MS_* bits that belong to the filesystem's superblock;
// mount_setattr(2) knows nothing of them.
const superFlags = unix.MS_SYNCHRONOUS | unix.MS_DIRSYNC | unix.MS_MANDLOCK | unix.MS_LAZYTIME |
	unix.MS_SILENT | unix.MS_I_VERSION

const atimeFlags = unix.MS_NOATIME | unix.MS_RELATIME | unix.MS_STRICTATIME

// Attributes translates Flags and ClearFlags into the attr_set and attr_clr of
// mount_setattr(2). The access-time attribute is only touched if an option
// named it. Superblock flags have no such attribute and are left out. Bits
// that no option named are in neither.
func (o *MountOptions) Attributes() (set, clr uint64) {
	for _, a := range [...]struct{ flag, attr uint64 }{
		{unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY},
		{unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID},
		{unix.MS_NODEV, unix.MOUNT_ATTR_NODEV},
		{unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
		{unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
		{unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
	} {
		if o.Flags&a.flag != 0 {
			set |= a.attr
		} else if o.ClearFlags&a.flag != 0 {
			clr |= a.attr
		}
	}
	if (o.Flags|o.ClearFlags)&atimeFlags != 0 {
		clr |= unix.MOUNT_ATTR__ATIME
	}
	// The order in which mount(2) itself resolves several of them.
	switch {
	case o.Flags&unix.MS_STRICTATIME != 0:
		set |= unix.MOUNT_ATTR_STRICTATIME
	case o.Flags&unix.MS_NOATIME != 0:
		set |= unix.MOUNT_ATTR_NOATIME
	}
	return set, clr
}

// SuperFlags is the part of Flags that belongs to the superblock: sync,
// dirsync, mand, lazytime, silent and iversion.
func (o *MountOptions) SuperFlags() uint64 { return o.Flags & superFlags }

// OptionError is an option that ParseMountOptions could not read.
type OptionError struct {
	// Index is the option's place in the list.
	Index int
	// Option is its text.
	Option string
	// Reason says what is wrong with it.
	Reason string
}

// Error names the option and the reason.
func (e *OptionError) Error() string { return quoted("option", e.Option, e.Reason) }

// ParseMountOptions sorts an option list. An option that is not in the table of
// KnownMountOptions becomes filesystem data. The error is an *OptionError: an
// unreadable mapping in idmap=, or an option that cannot be honoured at all.
// The options before and after a bad one are still in the result.
func ParseMountOptions(options []string) (MountOptions, error) {
	var (
		o     MountOptions
		first error
	)
	for i, text := range options {
		if reason := o.add(text); reason != "" && first == nil {
			first = &OptionError{Index: i, Option: text, Reason: reason}
		}
	}
	return o, first
}

// add takes one option in and returns what is wrong with it, if anything.
func (o *MountOptions) add(text string) string {
	switch {
	case text == "":
		return ""
	case strings.IndexByte(text, 0) >= 0:
		return reasonNUL
	case strings.HasPrefix(text, "idmap="), strings.HasPrefix(text, "ridmap="):
		return o.addIDMap(text)
	}
	known, ok := lookupOption(text)
	if !ok {
		o.Data = append(o.Data, text)
		return ""
	}
	return o.apply(known)
}

func (o *MountOptions) addIDMap(text string) string {
	name, value, _ := strings.Cut(text, "=")
	mapping, err := ParseIDMapping(value)
	if err != nil {
		return err.Error()
	}
	o.IDMap, o.RIDMap = name == "idmap", name == "ridmap"
	o.IDMapping = mapping
	return ""
}

func (o *MountOptions) apply(known mountOption) string {
	switch known.kind {
	case optSet:
		o.Flags |= known.bits
		o.ClearFlags &^= known.bits
	case optClear:
		o.Flags &^= known.bits
		o.ClearFlags |= known.bits
	case optBind:
		o.Flags |= known.bits // "bind" after "rbind" leaves it recursive: CRI-O writes both
	case optPropagation:
		o.Propagation = append(o.Propagation, known.bits)
	case optRecSet, optRecClear:
		o.applyRecursive(known)
	case optSuperRecursive:
		return "a flag of the superblock cannot be applied recursively"
	default:
		o.applySpecial(known.kind)
	}
	return ""
}

func (o *MountOptions) applyRecursive(known mountOption) {
	if known.atime {
		o.RecClr |= unix.MOUNT_ATTR__ATIME
		// The modes are a number, not bits: a new one replaces the old one,
		// clearing one that is not in force changes nothing.
		if known.kind == optRecSet || o.RecSet&unix.MOUNT_ATTR__ATIME == known.bits {
			o.RecSet &^= unix.MOUNT_ATTR__ATIME
		}
		if known.kind == optRecSet {
			o.RecSet |= known.bits
		}
		return
	}
	if known.kind == optRecSet {
		o.RecSet |= known.bits
		o.RecClr &^= known.bits
		return
	}
	o.RecSet &^= known.bits
	o.RecClr |= known.bits
}

func (o *MountOptions) applySpecial(kind optionKind) {
	switch kind {
	case optTmpCopyUp:
		o.TmpCopyUp = true
	case optIDMap:
		o.IDMap, o.RIDMap = true, false
	case optRIDMap:
		o.IDMap, o.RIDMap = false, true
	case optCopySymlink:
		o.CopySymlink = true
	case optSrcNoFollow:
		o.SrcNoFollow = true
	case optDestNoFollow:
		o.DestNoFollow = true
	}
}
