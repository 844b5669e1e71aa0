package step

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// kinds gives an empty step of each kind.
func kinds() (all []Step) {
	for k := kindNone + 1; k < kindEnd; k++ {
		if s := newStep(k); s != nil {
			all = append(all, s)
		}
	}
	return all
}

// fill sets every field of v to something that is not zero and differs from its neighbours.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.String:
		v.SetString("s" + strings.Repeat("x", *n%7) + " \"=é")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(*n)%255 + 1)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n)<<20 | uint64(*n)<<8 | 0x25)
	case reflect.Int64:
		v.SetInt(-int64(*n) << 33)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Interface:
		v.Set(reflect.ValueOf(&Hostname{Place: At("hostname"), Name: "inner"}))
	default:
		panic("fill: " + v.Kind().String())
	}
}

func filled() (all []Step) {
	for _, s := range kinds() {
		n := 0
		fill(reflect.ValueOf(s).Elem(), &n)
		all = append(all, s)
	}
	return all
}

func TestEveryKindIsKnown(t *testing.T) {
	seen := map[string]Kind{}
	for k := kindNone + 1; k < kindEnd; k++ {
		s := newStep(k)
		if s == nil || s.Kind() != k {
			t.Errorf("kind %d: newStep gives %T", k, s)
			continue
		}
		name := k.String()
		if other, ok := seen[name]; ok || name == "unknown" {
			t.Errorf("kind %d is called %q, as is %d", k, name, other)
		}
		seen[name] = k
	}
	for _, k := range []Kind{kindNone, kindEnd, kindEnd + 1, 255} {
		if newStep(k) != nil || k.String() != "unknown" {
			t.Errorf("kind %d: got %T %q", k, newStep(k), k)
		}
	}
}

// Every field must come back: one that walk forgets does not.
func TestCodecCarriesEveryField(t *testing.T) {
	for _, list := range [][]Step{filled(), kinds(), nil} {
		got, err := Decode(Encode(list))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(list) {
			t.Fatalf("got %d steps, want %d", len(got), len(list))
		}
		for i := range list {
			if !reflect.DeepEqual(got[i], list[i]) {
				t.Errorf("%s: got %+v, want %+v", list[i].Kind(), got[i], list[i])
			}
			if again := Encode(got[i : i+1]); !bytes.Equal(again, Encode(list[i:i+1])) {
				t.Errorf("%s: the second encoding differs", list[i].Kind())
			}
		}
	}
}

// A field that walk forgets or visits twice would be missed by a codec whose two halves agree: so
// each field alone must change the text and JSON forms as well.
func TestEveryFieldShowsInText(t *testing.T) {
	for _, s := range kinds() {
		v := reflect.ValueOf(s).Elem()
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			fresh := newStep(s.Kind())
			before, beforeJSON := Text(fresh), string(AppendJSON(nil, []Step{fresh}))
			n := 3
			fill(reflect.ValueOf(fresh).Elem().Field(i), &n)
			if Text(fresh) == before {
				t.Errorf("%s: field %s does not show in the text %q", s.Kind(), name, before)
			}
			if string(AppendJSON(nil, []Step{fresh})) == beforeJSON {
				t.Errorf("%s: field %s does not show in the JSON", s.Kind(), name)
			}
		}
	}
}

func TestGoldenText(t *testing.T) {
	const file = "testdata/kinds.golden"
	got := AppendText(nil, filled())
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		a, b := "", ""
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("line %d:\n got %s\nwant %s\n(-update writes %s anew)", i+1, a, b, file)
		}
	}
}

func TestJSONIsValid(t *testing.T) {
	odd := &Exec{Place: At("process"), Args: []string{"\x00\x1f\xff\"\\\n\t é 😀 \u2028"}}
	for _, list := range [][]Step{filled(), kinds(), nil, {odd}} {
		var got []map[string]any
		text := AppendJSON(nil, list)
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if len(got) != len(list) {
			t.Fatalf("got %d objects, want %d", len(got), len(list))
		}
		for i, s := range list {
			if got[i]["step"] != s.Kind().String() {
				t.Errorf("object %d: step %v, want %s", i, got[i]["step"], s.Kind())
			}
			at, _ := got[i]["at"].(string)
			if at != s.Where() {
				t.Errorf("%s: at %q, want %q", s.Kind(), at, s.Where())
			}
		}
	}
	var got []map[string]any
	if err := json.Unmarshal(AppendJSON(nil, []Step{odd}), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.ToValidUTF8(odd.Args[0], "\ufffd")
	if args := got[0]["args"].([]any); args[0] != want {
		t.Errorf("string came back as %q, want %q", args[0], want)
	}
}

// payload is a request with a program of three bytes.
func payload(r *Request) []byte {
	head, steps := r.Encode(3)
	return append(append(head, 1, 2, 3), steps...)
}

// seed adds what the fuzzers start from.
func seeds() [][]byte {
	r := &Request{Debug: true, Steps: filled()}
	rep := &Report{Index: 7, Step: KindMount, At: "mounts[1]", Op: "open_tree", Value: "/x", Errno: 2, Text: "t", Nanos: -3}
	nested := []Step{&Barrier{Name: "deep"}}
	for range MaxDepth + 1 {
		nested = []Step{&Fallback{First: nested}}
	}
	return [][]byte{nil, {0}, payload(r), rep.Encode(), Encode(nested), bytes.Repeat([]byte{0xff}, 64),
		{0, 1, 0, 0, 0, byte(KindExec), 0xff, 0xff, 0xff, 0x7f}}
}

func TestDepthIsBounded(t *testing.T) {
	nested := []Step{&Barrier{Name: "deep"}}
	for range MaxDepth - 1 {
		nested = []Step{&Fallback{First: nested}}
	}
	if _, err := Decode(Encode(nested)); err != nil {
		t.Errorf("depth %d: %v", MaxDepth, err)
	}
	if _, err := Decode(Encode([]Step{&Fallback{First: nested}})); err != ErrCodec {
		t.Errorf("depth %d: got %v, want ErrCodec", MaxDepth+1, err)
	}
}

// Every proper prefix and every byte too many is an error, never a panic.
func TestDecodeRefusesGarbage(t *testing.T) {
	whole := payload(&Request{Steps: filled()})
	for i := range whole {
		if r, err := DecodeRequest(whole[:i]); err == nil {
			t.Fatalf("prefix of %d bytes gives %d steps", i, len(r.Steps))
		}
	}
	if _, err := DecodeRequest(append(whole[:len(whole):len(whole)], 0)); err == nil {
		t.Error("a byte too many is accepted")
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0xff
		DecodeRequest(b)
	}
}

// A length that promises more than there is must not make the decoder allocate.
func TestHostileLengthAllocatesNothing(t *testing.T) {
	b := appendU32([]byte{0}, 0x10000000)
	if n := testing.AllocsPerRun(10, func() { DecodeRequest(b) }); n > 8 {
		t.Errorf("%v allocations", n)
	}
	if _, err := DecodeRequest(b); err == nil {
		t.Error("accepted")
	}
}

func FuzzDecodeRequest(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRequest(b)
		if err != nil {
			return
		}
		AppendText(nil, r.Steps)
		if text := AppendJSON(nil, r.Steps); !json.Valid(text) {
			t.Errorf("invalid JSON %s", text)
		}
		again, err := DecodeRequest(payload(r))
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%v: round trip differs", err)
		}
	})
}

func FuzzDecodeReport(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeReport(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Encode(), b) {
			again, err := DecodeReport(r.Encode())
			if err != nil || *again != *r {
				t.Errorf("round trip of %+v differs", r)
			}
		}
	})
}
