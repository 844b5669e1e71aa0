package spec

import (
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestParseIDMappingErrors(t *testing.T) {
	for text, part := range map[string]string{
		"":                               "no '='",
		"uids=0-1-10":                    "needs both",
		"uids=0-1-10;uids=0-1-1":         "given twice",
		"uids=0-1-10;gids":               "no '='",
		"uids=0-1-10;gids=":              "FS-HOST-LENGTH",
		"uids=0-1;gids=0-1-1":            "FS-HOST-LENGTH",
		"uids=0-1-1-1;gids=0-1-1":        "FS-HOST-LENGTH",
		"uids=0-1-1;pids=0-1-1":          "neither",
		"uids=0-x-1;gids=0-1-1":          "invalid syntax",
		"uids=0-4294967296-1;gids=0-1-1": "out of range",
		"uids=0-1-1#;gids=0-1-1":         "FS-HOST-LENGTH",
		"uids=@@0-1-1;gids=0-1-1":        "invalid syntax",
		"uids=0-1-1;gids=0-1-1;":         "no '='",
		"uids=0-1-1 ;gids=0-1-1":         "invalid syntax",
		"uids=0-1-1;gids=0-1-+1":         "invalid syntax",
	} {
		_, err := ParseIDMapping(text)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: error %v, want %q in it", text, err, part)
		}
	}
}

func TestResolve(t *testing.T) {
	container := []specs.LinuxIDMapping{{Size: 1}, {ContainerID: 1, HostID: 2, Size: 1000}, {ContainerID: 1001, HostID: 5000, Size: 10}}
	m := func(c, h, n uint32) specs.LinuxIDMapping {
		return specs.LinuxIDMapping{ContainerID: c, HostID: h, Size: n}
	}
	for text, want := range map[string][]specs.LinuxIDMapping{
		"1-3-10":            {m(1, 3, 10)},
		"@1-3-10":           {m(1, 4, 10)},
		"@0-0-2":            {m(0, 0, 1), m(1, 2, 1)},
		"@100-1000-3#0-7-1": {m(100, 1001, 1), m(101, 5000, 2), m(0, 7, 1)},
	} {
		mapping, err := ParseIDMapping("uids=" + text + ";gids=0-9-1")
		if err != nil {
			t.Fatal(err)
		}
		uids, gids, err := mapping.Resolve(container, nil)
		if err != nil || !reflect.DeepEqual(uids, want) || !reflect.DeepEqual(gids, []specs.LinuxIDMapping{m(0, 9, 1)}) {
			t.Errorf("%s: got %v, %v, %v, want %v", text, uids, gids, err, want)
		}
	}
	for _, text := range []string{"@0-1010-2", "@0-5000-1", "@4294967295-1-2"} {
		mapping, err := ParseIDMapping("uids=0-0-1;gids=" + text)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := mapping.Resolve(container, container); err == nil {
			t.Errorf("%s: unmapped ids passed", text)
		}
	}
}

func TestHostID(t *testing.T) {
	maps := []specs.LinuxIDMapping{{ContainerID: 10, HostID: 1000, Size: 2}}
	for id, want := range map[uint32]uint32{10: 1000, 11: 1001} {
		if got, ok := HostID(maps, id); !ok || got != want {
			t.Errorf("%d: %d, %v", id, got, ok)
		}
	}
	for _, id := range []uint32{0, 9, 12, ^uint32(0)} {
		if _, ok := HostID(maps, id); ok {
			t.Errorf("%d is mapped", id)
		}
	}
}
