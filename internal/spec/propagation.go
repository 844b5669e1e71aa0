package spec

import "golang.org/x/sys/unix"

// RootfsPropagation gives the MS_* bits, MS_REC for the r-forms, of a value of
// linux.rootfsPropagation; false if it is unknown. The empty value is rslave,
// the default.
func RootfsPropagation(value string) (uint64, bool) {
	if value == "" {
		return unix.MS_SLAVE | unix.MS_REC, true
	}
	if o, ok := lookupOption(value); ok && o.kind == optPropagation {
		return o.bits, true
	}
	return 0, false
}
