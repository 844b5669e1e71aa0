package state

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func sample() *Record {
	return &Record{
		Version: Version, ID: "a.b", OCIVersion: "1.3.0", Bundle: "/b \"q\"\\\n\x01é", Rootfs: "/b/rootfs",
		Created: time.Date(2026, 11, 23, 1, 2, 3, 456789, time.UTC),
		Pid:     4711, StartTime: 1<<63 + 5, CreateDone: true,
		Cgroup:      []byte(`{"paths":["/a","/b]"],"n":-1.5e3,"x":{"y":null}}`),
		Annotations: map[string]string{"k": "v", "": "empty", "tab\t": "\u2028"},
		OwnerUID:    1<<32 - 1, NoPivot: true, Rootless: true,
		IntelRdt:   &IntelRdt{Group: "/sys/fs/resctrl/x", Own: true},
		NetDevices: []string{"eth0", "e1"}, StdioNames: [3]string{"/dev/null", "", "pipe:[7]"},
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, r := range []*Record{sample(), {Version: Version, ID: "x"}, {Version: 1, ID: "y", Bundle: "/\xff\xfe"}} {
		b, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(b)
		if err != nil {
			t.Fatalf("%v in\n%s", err, b)
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("\n%+v\nbecame\n%+v\nby\n%s", r, got, b)
		}
	}
}

// Every field must survive: one that the codec forgets comes back zero.
func TestNoFieldForgotten(t *testing.T) {
	t.Parallel()
	v := reflect.ValueOf(*sample())
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the sample leaves %s zero, so that TestRoundTrip proves nothing about it", v.Type().Field(i).Name)
		}
	}
}

func TestStandardJSONAgrees(t *testing.T) {
	t.Parallel()
	b, err := sample().encode()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ID, Bundle  string
		Created     time.Time
		StartTime   uint64
		Annotations map[string]string
		StdioNames  []string
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	r := sample()
	if got.ID != r.ID || got.Bundle != r.Bundle || !got.Created.Equal(r.Created) || got.StartTime != r.StartTime ||
		!reflect.DeepEqual(got.Annotations, r.Annotations) || !reflect.DeepEqual(got.StdioNames, r.StdioNames[:]) {
		t.Errorf("encoding/json reads %+v", got)
	}
	// The other direction, with every escape that an encoder may choose.
	in := `{"id":"a\u002db","version":1,"bundle":"\/\b\f\n\r\t\"\\\u00e9\ud83d\ude00\ud800x", "more" : [1,{"a":"}"}, null ] }`
	rec, err := decode([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ Bundle string }
	if err := json.Unmarshal([]byte(in), &want); err != nil {
		t.Fatal(err)
	}
	if rec.ID != "a-b" || rec.Bundle != want.Bundle {
		t.Errorf("%q, %q; want %q", rec.ID, rec.Bundle, want.Bundle)
	}
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                "byte 0: '{' expected",
		"{":                               "expected",
		`{"version":1,"id":"a"} x`:        "the end expected",
		`{"version":1,"id":"a"}` + "\x00": "the end expected",
		`{"version":1 "id":"a"}`:          "',' expected",
		`{"version":1,"id":"a",}`:         "expected",
		`{"version":1,"id":3}`:            "expected",
		`{"version":2,"id":"a"}`:          "version 2 of the record is not known",
		`{"id":"a"}`:                      "version 0",
		`{"version":1,"id":"../a"}`:       "invalid container ID format",
		`{"version":1,"id":"a","pid":4}`:  "pid without startTime",
		`{"version":1,"id":"a","pid":-4}`: "a whole number expected",
		`{"version":1,"id":"a","pid":4294967296,"startTime":1}`: "a whole number expected",
		`{"version":1,"id":"a","created":"x"}`:                  "a time",
		`{"version":1,"id":"a","noPivot":1}`:                    "true or false expected",
		`{"version":1,"id":"a\u00"}`:                            "hexadecimal",
		`{"version":1,"id":"a\`:                                 "an escape expected",
		`{"version":1,"id":"a","x":,}`:                          "a value expected",
		`{"version":1,"id":"a","x":[[[`:                         "a value expected",
		`{"version":1,"id":"a","x":]}`:                          "a value expected",
		`{"version":1,"id":"a","netDevices":["a" "b"]}`:         "',' expected",
	} {
		if _, err := decode([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", in, err, want)
		}
	}
}

func TestEncodeRefusesBadCgroup(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Cgroup = []byte(`{"a":`)
	if _, err := r.encode(); err == nil {
		t.Error("a broken cgroup description was written")
	}
}

func FuzzDecode(f *testing.F) {
	b, err := sample().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1,"id":"a","x":[[{"q":"\ud800\u0000"}]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			return
		}
		again, err := r.encode()
		if err != nil {
			return // a cgroup that only looks like JSON
		}
		if r2, err := decode(again); err != nil || !reflect.DeepEqual(normal(r), normal(r2)) {
			t.Errorf("%+v became %+v (%v)", r, r2, err)
		}
	})
}

// normal evens out what has two forms.
func normal(r *Record) Record {
	n := *r
	n.Created = n.Created.UTC()
	if len(n.Annotations) == 0 {
		n.Annotations = nil
	}
	return n
}

func BenchmarkDecode(b *testing.B) {
	text, err := sample().encode()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := decode(text); err != nil {
			b.Fatal(err)
		}
	}
}
