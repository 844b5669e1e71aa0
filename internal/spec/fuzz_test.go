package spec

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func samples(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"mounts":[{"destination":"p\u0000","options":["idmap=uids=@1-2-3;gids=0-0-0"],"uidMappings":[{"size":4294967295},{"hostID":4294967295,"size":2}]}],
		"process":{"rlimits":[{"type":"RLIMIT_CPU","soft":9},{"type":"RLIMIT_CPU"}],"scheduler":{"policy":"SCHED_DEADLINE"},"capabilities":{"ambient":["CAP_X"]},"execCPUAffinity":{"final":"0-32767"}},
		"linux":{"sysctl":{"a.b":"c"},"netDevices":{"":{"name":"%d"}},"timeOffsets":{"x":{}},"devices":[{},{}],"resources":{"unified":{"":""},"rdma":{"":{}},"hugepageLimits":[{"pageSize":"B"}]}}}`))
}

// FuzzLoad reads any bytes as each kind of document.
func FuzzLoad(f *testing.F) {
	samples(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		s, err := Parse(raw)
		if (s == nil) != (err != nil) {
			t.Error("both or neither of result and error")
		}
		_, _ = ParseProcess(raw)
		_, _ = ParseResources(raw)
		_, _ = LoadMounts(bytes.NewReader(raw))
		if !bytes.Equal(raw, before) {
			t.Error("the document was changed")
		}
	})
}

// FuzzValidate judges whatever can be read; twice, as the order is promised.
func FuzzValidate(f *testing.F) {
	samples(f)
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Parse(raw)
		if err != nil {
			return
		}
		for _, o := range []Options{{}, {Rootless: true, NoPivot: true, SystemdCgroup: true}} {
			found := Validate(s, o)
			if !reflect.DeepEqual(found, Validate(s, o)) {
				t.Error("findings differ between two runs")
			}
			if err := found.Err(); err != nil && strings.Contains(err.Error(), "\n") {
				t.Error("a finding takes more than one line")
			}
			_ = ValidateProcess(s.Process, s, o)
		}
	})
}

// FuzzParseMountOptions checks what the fields promise.
func FuzzParseMountOptions(f *testing.F) {
	for _, text := range []string{"ro", "bind,rw", "rnoatime,ratime", "idmap=uids=0-1-2;gids=0-1-2#@3-4-5", "rsync,x=y,shared", strings.Join(KnownMountOptions(), ",")} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		options := strings.Split(text, ",")
		o, err := ParseMountOptions(options)
		if o.Flags&o.ClearFlags != 0 {
			t.Errorf("%q: set and cleared: %+v", text, o)
		}
		const atime = unix.MOUNT_ATTR__ATIME
		if o.RecSet&o.RecClr&^atime != 0 || o.RecSet&atime != 0 && o.RecClr&atime != atime || o.RecSet&atime == atime {
			t.Errorf("%q: recursive attributes %#x %#x", text, o.RecSet, o.RecClr)
		}
		if o.Flags&(unix.MS_SHARED|unix.MS_PRIVATE|unix.MS_SLAVE|unix.MS_UNBINDABLE) != 0 || o.IDMap && o.RIDMap {
			t.Errorf("%q: %+v", text, o)
		}
		for _, d := range o.Data {
			if _, known := lookupOption(d); known || !slices.Contains(options, d) {
				t.Errorf("%q: data %q", text, d)
			}
		}
		if _, again := ParseMountOptions(options); (err == nil) != (again == nil) {
			t.Errorf("%q: once %v, then %v", text, err, again)
		}
	})
}
