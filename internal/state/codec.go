package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The record is JSON, written and read by hand: every command reads one, and encoding/json spends
// 0.12 ms on learning the types before it reads the first byte.

// encode gives the record as JSON, one key on a line.
func (r *Record) encode() ([]byte, error) {
	w := writer{b: make([]byte, 0, 1024)}
	w.b = append(w.b, '{')
	w.key("version").b = strconv.AppendInt(w.b, int64(r.Version), 10)
	w.str("id", r.ID)
	w.str("ociVersion", r.OCIVersion)
	w.str("bundle", r.Bundle)
	w.str("rootfs", r.Rootfs)
	w.str("created", r.Created.UTC().Format(time.RFC3339Nano))
	w.key("pid").b = strconv.AppendInt(w.b, int64(r.Pid), 10)
	w.key("startTime").b = strconv.AppendUint(w.b, r.StartTime, 10)
	w.flag("createDone", r.CreateDone)
	w.key("ownerUid").b = strconv.AppendUint(w.b, uint64(r.OwnerUID), 10)
	w.flag("noPivot", r.NoPivot)
	w.flag("rootless", r.Rootless)
	if r.Cgroup != nil {
		if !json.Valid(r.Cgroup) {
			return nil, errors.New("cgroup: not JSON")
		}
		w.key("cgroup").b = append(w.b, r.Cgroup...)
	}
	if r.IntelRdt != nil {
		w.strs("intelRdt", []string{r.IntelRdt.Group, r.IntelRdt.Mon})
		w.flag("intelRdtOwn", r.IntelRdt.Own)
	}
	w.strs("netDevices", r.NetDevices)
	w.strs("stdioNames", r.StdioNames[:])
	w.strMap("annotations", r.Annotations)
	return append(w.b, "\n}\n"...), nil
}

// decode reads what encode has written; unknown keys are skipped.
func decode(b []byte) (*Record, error) {
	r := new(Record)
	d := &reader{b: b}
	var rdt []string
	var own bool
	d.object(func(key string) {
		switch key {
		case "version":
			r.Version = int(d.uint(31))
		case "id":
			r.ID = d.str()
		case "ociVersion":
			r.OCIVersion = d.str()
		case "bundle":
			r.Bundle = d.str()
		case "rootfs":
			r.Rootfs = d.str()
		case "created":
			r.Created = d.time()
		case "pid":
			r.Pid = int(d.uint(31))
		case "startTime":
			r.StartTime = d.uint(64)
		case "createDone":
			r.CreateDone = d.flag()
		case "ownerUid":
			r.OwnerUID = uint32(d.uint(32))
		case "noPivot":
			r.NoPivot = d.flag()
		case "rootless":
			r.Rootless = d.flag()
		case "cgroup":
			r.Cgroup = slices.Clone(d.raw())
		case "intelRdt":
			rdt = d.strs()
		case "intelRdtOwn":
			own = d.flag()
		case "netDevices":
			r.NetDevices = d.strs()
		case "stdioNames":
			copy(r.StdioNames[:], d.strs())
		case "annotations":
			r.Annotations = d.strMap()
		default:
			d.raw()
		}
	})
	d.end()
	if d.err != nil {
		return nil, d.err
	}
	if len(rdt) == 2 {
		r.IntelRdt = &IntelRdt{Group: rdt[0], Mon: rdt[1], Own: own}
	}
	return r, r.check()
}

// writer appends the keys and values of an object.
type writer struct{ b []byte }

func (w *writer) key(k string) *writer {
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '\n', ' ')
	w.b = appendString(w.b, k)
	w.b = append(w.b, ':', ' ')
	return w
}

func (w *writer) str(k, v string) {
	if v != "" {
		w.key(k)
		w.b = appendString(w.b, v)
	}
}

func (w *writer) flag(k string, v bool) {
	if v {
		w.key(k)
		w.b = append(w.b, "true"...)
	}
}

func (w *writer) strs(k string, v []string) {
	if len(v) == 0 {
		return
	}
	w.key(k)
	sep := byte('[')
	for _, s := range v {
		w.b = appendString(append(w.b, sep), s)
		sep = ','
	}
	w.b = append(w.b, ']')
}

func (w *writer) strMap(k string, v map[string]string) {
	if len(v) == 0 {
		return
	}
	w.key(k)
	sep := byte('{')
	for _, name := range slices.Sorted(maps.Keys(v)) {
		w.b = appendString(append(w.b, sep), name)
		w.b = appendString(append(w.b, ':'), v[name])
		sep = ','
	}
	w.b = append(w.b, '}')
}

// appendString appends s in quotes. Bytes that are not UTF-8 stay as they are: a path may hold any, and
// must come back unchanged.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < 0x20:
			b = fmt.Appendf(b, "\\u%04x", c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
