package decode

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// check holds Spec to encoding/json on one document.
func check(t *testing.T, raw []byte) {
	t.Helper()
	got, err := Spec(raw)
	if err != nil {
		e := err.(*Error)
		if e.Line < 1 || e.Column < 1 || e.Offset < 0 || e.Offset > len(raw) || e.Reason == "" {
			t.Errorf("%q: error without place or reason: %+v", raw, e)
		}
	}
	if repeatedKey(raw) {
		return // the documented difference: the last value counts alone
	}
	var want specs.Spec
	wantErr := json.Unmarshal(raw, &want)
	foreign := dropForeign(&want)
	switch {
	case wantErr == nil && err != nil:
		t.Errorf("%q: refused: %v", raw, err)
	case wantErr != nil && err == nil:
		if !foreign && !mentionsForeign(raw) {
			t.Errorf("%q: accepted, encoding/json says: %v", raw, wantErr)
		}
	case err == nil && !reflect.DeepEqual(got, &want):
		t.Errorf("%q:\n got %s\nwant %s", raw, show(got), show(&want))
	}
}

func show(s *specs.Spec) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// dropForeign removes what is read for other platforms only.
func dropForeign(s *specs.Spec) bool {
	foreign := s.Windows != nil || s.Solaris != nil || s.VM != nil || s.ZOS != nil || s.FreeBSD != nil
	s.Windows, s.Solaris, s.VM, s.ZOS, s.FreeBSD = nil, nil, nil, nil, nil
	if s.Process != nil {
		s.Process.CommandLine, s.Process.User.Username = "", ""
	}
	return foreign
}

func mentionsForeign(raw []byte) bool {
	if !json.Valid(raw) {
		return false
	}
	var all any
	_ = json.Unmarshal(raw, &all)
	return mentions(all)
}

func mentions(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if mentions(e) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			for _, name := range []string{"windows", "solaris", "vm", "zos", "freebsd", "commandLine", "username"} {
				if strings.EqualFold(k, name) {
					return true
				}
			}
			if mentions(e) {
				return true
			}
		}
	}
	return false
}

// repeatedKey tells whether an object has a key twice, in whatever case.
func repeatedKey(raw []byte) bool {
	d := json.NewDecoder(strings.NewReader(string(raw)))
	var open []map[string]bool
	key := false
	for {
		token, err := d.Token()
		if err != nil {
			return false
		}
		top := len(open) - 1
		if name, ok := token.(string); ok && key {
			// Fold as encoding/json does; EqualFold has no canonical form.
			for seen := range open[top] {
				if strings.EqualFold(seen, name) {
					return true
				}
			}
			open[top][name] = true
			key = false
			continue
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:top]
		}
		key = len(open) > 0 && open[len(open)-1] != nil
	}
}

func seeds(t testing.TB) [][]byte {
	var all [][]byte
	files, err := filepath.Glob(filepath.Join("..", "testdata", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no samples: %v", err)
	}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, raw)
	}
	for _, s := range []string{
		``, ` `, `{}`, `{} `, ` {}x`, `null`, `[]`, `"a"`, `7`, `true`, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`,
		`{"ociVersion":null}`, `{"ociVersion":1}`, `{"ociVersion":"1.0.0"`, `{"OCIVERSION":"1"}`, "{\"linux\":{\"ſysctl\":{\"a\":\"b\"}}}",
		`{"linux":{"seccomp":{"defaultAction":"x","defaultErrnoRet":1,"sysCalls":[{"names":[],"args":[{"index":0,"value":18446744073709551615,"op":""}]}]}}}`,
		`{"hostname":"\u00e9\ud83d\ude00\ud83d\n\"\\\/\b\f\r\t"}`, `{"hostname":"\ud83dx"}`, `{"hostname":"\ud83d\u0041"}`, `{"hostname":"\x"}`, `{"hostname":"\u12"}`, `{"hostname":"\u12G4"}`,
		"{\"hostname\":\"a\xffb\xc3\"}", "{\"hostname\":\"\x01\"}", "{\"a\xff\":\"\x1f\"}", "{\"hostname\":\"a\x00\"}", "\xef\xbb\xbf{}", "{}\x00",
		`{"process":{"user":{"uid":4294967295}}}`, `{"process":{"user":{"uid":4294967296}}}`, `{"process":{"user":{"uid":-0}}}`, `{"process":{"user":{"uid":-1}}}`,
		`{"process":{"user":{"uid":1.0}}}`, `{"process":{"user":{"uid":1e2}}}`, `{"process":{"user":{"uid":01}}}`, `{"process":{"user":null,"args":null,"env":[]}}`, `{"process":null}`, `{"process":[]}`, `{"process":{"args":"x"}}`, `{"process":{"args":[null,"x"]}}`, `{"process":{"args":[1]}}`,
		`{"process":{"oomScoreAdj":-0}}`, `{"process":{"oomScoreAdj":null}}`, `{"process":{"oomScoreAdj":9223372036854775808}}`, `{"process":{"oomScoreAdj":-9223372036854775808}}`, `{"process":{"oomScoreAdj":-}}`, `{"process":{"oomScoreAdj":1.}}`, `{"process":{"oomScoreAdj":1e}}`, `{"process":{"oomScoreAdj":1e+}}`, `{"process":{"oomScoreAdj":"1"}}`,
		`{"process":{"terminal":true,"noNewPrivileges":false}}`, `{"process":{"terminal":tru}}`, `{"process":{"terminal":falsy}}`, `{"process":{"terminal":nul}}`, `{"process":{"terminal":0}}`,
		`{"annotations":{"a":"b","c":null,"":"x"}}`, `{"annotations":null}`, `{"annotations":[]}`, `{"annotations":{"a":1}}`, `{"annotations":{1:1}}`,
		`{"linux":{"resources":{"blockIO":{"weight":65535,"weightDevice":[{"major":8,"minor":0,"weight":500}],"throttleReadBpsDevice":[{"major":1,"minor":2,"rate":3},null]},"rdma":{"a":{"hcaHandles":1},"b":null},"unified":{}}}}`,
		`{"linux":{"resources":{"blockIO":{"weight":65536}}}}`, `{"linux":{"devices":[{"path":"/dev/x","type":"c","major":-1,"fileMode":438,"uid":0}]}}`,
		`{"linux":{"timeOffsets":{"boottime":{"secs":-5,"nanosecs":7}},"netDevices":{"eth0":{"name":"x"}},"memoryPolicy":{"mode":"m","flags":["f"]}}}`,
		`{"windows":{"layerFolders":1},"vm":7,"solaris":null,"zos":[],"freebsd":"x"}`, `{"windows":{`, `{"x":{"y":[1,2,{"z":null}],"w":-1.5e+3,"v":true,"u":false}}`,
		`{"mounts":[{"destination":"/a","options":["ro"]},{"uidMappings":[{"containerID":1,"hostID":2,"size":3}]}]}`, `{"mounts":[,]}`, `{"mounts":[{}{}]}`, `{"mounts":[{},]}`, `{"mounts":{}}`,
		`{"hooks":{"prestart":[{"path":"/x","timeout":5}],"poststop":[]}}`, `{"root":{"path":"a","readonly":true}}`, `{"a" 1}`, `{"a":1 "b":2}`, `[1 2]`, `{"a":[1,2}`, "{\"a\"\n:\r\t1}", `{'a':1}`, `{"a":+1}`, `{"a":.5}`, `{"a":Infinity}`, `/**/{}`,
		strings.Repeat("[", 10001), `{"a":` + strings.Repeat("[", 9999) + strings.Repeat("]", 9999) + `}`, `{"a":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`,
	} {
		all = append(all, []byte(s))
	}
	return all
}

func TestLikeEncodingJSON(t *testing.T) {
	for _, raw := range seeds(t) {
		check(t, raw)
	}
}

// Each property of each type has to come through: fill every one, encode, read.
func TestEveryProperty(t *testing.T) {
	var want specs.Spec
	count := 1
	fill(reflect.ValueOf(&want).Elem(), &count)
	dropForeign(&want)
	raw, err := json.Marshal(&want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Spec(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, &want) {
		t.Errorf("got  %s\nwant %s", show(got), raw)
	}
	upper, err := Spec(upperKeys(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	// Keys of maps are data; they came through in upper case.
	if upper.Process == nil || !reflect.DeepEqual(upper.Process, want.Process) || len(upper.Linux.Devices) != len(want.Linux.Devices) {
		t.Errorf("keys in upper case: got %s", show(upper))
	}
	if count < 150 {
		t.Errorf("only %d properties filled", count)
	}
}

func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		elem := reflect.New(v.Type().Elem()).Elem()
		fill(elem, n)
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), elem)
	case reflect.String:
		v.SetString("s" + strings.Repeat("x", *n%7))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(-int64(*n))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	}
}

func upperKeys(t *testing.T, raw []byte) []byte {
	var all any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(upper(all))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func upper(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = upper(v[i])
		}
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[strings.ToUpper(k)] = upper(e)
		}
		return out
	}
	return v
}

func TestRepeatedKeys(t *testing.T) {
	s, err := Spec([]byte(`{"process":{"cwd":"/a","user":{"uid":1}},"mounts":[{"destination":"/x","type":"t"}],"annotations":{"a":"1","a":"2","b":"3"},
		"process":{"user":{"uid":1},"args":["x"],"user":{"gid":2}},"mounts":[{"source":"y"}],"annotations":{"a":"4"}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &specs.Spec{
		Process:     &specs.Process{Args: []string{"x"}, User: specs.User{GID: 2}},
		Mounts:      []specs.Mount{{Source: "y"}},
		Annotations: map[string]string{"a": "4"},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got %s", show(s))
	}
}

func TestOtherDocuments(t *testing.T) {
	p, err := Process([]byte(`{"args":["a"],"user":{"uid":5}}`))
	if err != nil || p.Args[0] != "a" || p.User.UID != 5 {
		t.Errorf("process: %+v, %v", p, err)
	}
	r, err := Resources([]byte(`{"pids":{"limit":7}}`))
	if err != nil || *r.Pids.Limit != 7 {
		t.Errorf("resources: %+v, %v", r, err)
	}
	m, err := Mounts([]byte(`[{"destination":"/a"},{"destination":"/b"}]`))
	if err != nil || len(m) != 2 || m[1].Destination != "/b" {
		t.Errorf("mounts: %+v, %v", m, err)
	}
	for _, f := range []func() error{
		func() error { _, err := Process([]byte(`{"args":7}`)); return err },
		func() error { _, err := Resources([]byte(`[]`)); return err },
		func() error { _, err := Mounts([]byte(`{}`)); return err },
	} {
		if f() == nil {
			t.Error("a wrong type was accepted")
		}
	}
}

func TestErrors(t *testing.T) {
	for doc, want := range map[string]string{
		`{"mounts":[{},{"options":7}]}`:                    `1:26: mounts[1].options: a number where a list is wanted`,
		"{\n  \"process\": {\n    \"args\": [\"a\", \"b\"": `3:22: process.args[1]: unexpected end, ',' or ']' is wanted`,
		"{\"process\":{\"args\":[\"a\",{}]}}":              `1:25: process.args[1]: an object where a string is wanted`,
		`{"linux":{"sysctl":{"a.b":1}}}`:                   `1:27: linux.sysctl["a.b"]: a number where a string is wanted`,
		`{"process":{"user":{"uid":-1}}}`:                  `1:27: process.user.uid: number -1 is out of range`,
		`{"process":{"user":{"uid":1.5}}}`:                 `1:27: process.user.uid: number 1.5 where an integer is wanted`,
		`{"hostname":"a"} x`:                               `1:18: unexpected text after the document's end`,
		`{"hostname":"a",}`:                                `1:17: unexpected '}', a key in double quotes is wanted`,
		`[]`:                                               `1:1: a list where an object is wanted`,
		``:                                                 `1:1: unexpected end, a value is wanted`,
		"{\"hostname\":\"a\n\"}":                           `1:15: hostname: control character in a string`,
		`{"root":{"readonly":ture}}`:                       `1:21: root.readonly: not a value (only true begins so)`,
		`{"":{"x":[],"y":}}`:                               `1:17: [""].y: unexpected '}', a value is wanted`,
	} {
		_, err := Spec([]byte(doc))
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", doc, err, want)
		}
	}
}

// FuzzSpec holds Spec to encoding/json on any bytes. The caches of encoding/json
// make coverage flicker; run it with -fuzzminimizetime 10x, or most of the time
// goes into shrinking inputs that found nothing new.
func FuzzSpec(f *testing.F) {
	for _, raw := range seeds(f) {
		if len(raw) < 4096 { // the deep ones would only slow it down
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) { check(t, raw) })
}
