package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const root = "../.."

// row is a row of a Markdown table: its section's heading and its cells.
type row struct {
	section string
	cells   []string
}

func (r row) String() string { return r.section + ": " + r.cells[0] }

// rows are those of all tables of a document, without their heads.
func rows(t *testing.T, path string) []row {
	t.Helper()
	var (
		out     []row
		section string
		body    bool
	)
	for line := range strings.Lines(document(t, path)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "#"):
			section = strings.TrimLeft(line, "# ")
		case strings.HasPrefix(line, "| ---"):
			body = true
		case !strings.HasPrefix(line, "|"):
			body = false
		case body:
			r := row{section: section}
			for _, cell := range strings.Split(strings.Trim(line, "|"), "|") {
				r.cells = append(r.cells, strings.TrimSpace(cell))
			}
			if len(r.cells) != 3 || slices.Contains(r.cells, "") {
				t.Errorf("%s: not three filled cells: %s", path, line)
				continue
			}
			out = append(out, r)
		}
	}
	return out
}

func document(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

func spans(text string) []string {
	var out []string
	for _, m := range codeSpan.FindAllStringSubmatch(text, -1) {
		out = append(out, m[1])
	}
	return out
}

// testName is a test of integration, or a package and a test of that.
var testName = regexp.MustCompile(`^(?:([a-z][a-z0-9/]*) )?(Test[A-Z][A-Za-z0-9_]*)$`)

// testsOf are the test functions of a package's directory.
func testsOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
				out = append(out, fn.Name.Name)
			}
		}
	}
	return out
}

// Who reads a row trusts that its tests prove it.
func TestTestsThatDocumentsNameExist(t *testing.T) {
	known := map[string][]string{}
	for _, path := range []string{"docs/SPEC.md", "docs/THREATS.md"} {
		for _, span := range spans(document(t, path)) {
			m := testName.FindStringSubmatch(span)
			if m == nil {
				continue
			}
			dir := m[1]
			if dir == "" {
				dir = "integration"
			}
			if _, read := known[dir]; !read {
				known[dir] = testsOf(t, dir)
			}
			if !slices.Contains(known[dir], m[2]) {
				t.Errorf("%s: %s has no %s", path, dir, m[2])
			}
		}
		for _, r := range rows(t, path) {
			if !slices.ContainsFunc(spans(r.cells[2]), testName.MatchString) {
				t.Errorf("%s: %v: names no test", path, r)
			}
		}
	}
}

// expand resolves the braces of a{b,c}d.
func expand(name string) []string {
	head, rest, ok := strings.Cut(name, "{")
	if !ok {
		return []string{name}
	}
	list, tail, _ := strings.Cut(rest, "}")
	var out []string
	for _, part := range strings.Split(list, ",") {
		out = append(out, expand(head+part+tail)...)
	}
	return out
}

// properties are the paths of all leaves of a type of the specification's. What is of other platforms is one leaf.
func properties(typ reflect.Type, path string) []string {
	switch typ.Kind() {
	case reflect.Pointer:
		return properties(typ.Elem(), path)
	case reflect.Slice, reflect.Map:
		if inner := typ.Elem(); inner.Kind() == reflect.Struct {
			return properties(inner, path+"[]")
		}
	case reflect.Struct:
		var out []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			inner := strings.TrimPrefix(path+"."+name, ".")
			switch platform := f.Tag.Get("platform"); {
			case f.Anonymous:
				out = append(out, properties(f.Type, path)...)
			case platform != "" && !slices.Contains(strings.Split(platform, ","), "linux"):
				out = append(out, inner)
			default:
				out = append(out, properties(f.Type, inner)...)
			}
		}
		return out
	}
	return []string{path}
}

func TestEveryPropertyOfTheSpecificationIsDescribed(t *testing.T) {
	all := properties(reflect.TypeFor[specs.Spec](), "")
	if len(all) < 150 {
		t.Fatalf("only %d properties: %v", len(all), all)
	}
	described := map[string]bool{"annotations": true} // by a table of their own
	for _, r := range rows(t, "docs/SPEC.md") {
		if r.section == "Annotations" {
			continue
		}
		for _, span := range spans(r.cells[0]) {
			for _, name := range expand(span) {
				known := slices.Contains(all, name)
				if !known && strings.Contains(name, ".") {
					t.Errorf("%v: the specification has no %s", r, name)
				}
				if known && described[name] {
					t.Errorf("%v: %s is described twice", r, name)
				}
				described[name] = true
			}
		}
	}
	for _, name := range all {
		if !described[name] {
			t.Errorf("docs/SPEC.md: %s is missing", name)
		}
	}
}

func TestEveryAnnotationIsDescribed(t *testing.T) {
	var described []string
	for _, r := range rows(t, "docs/SPEC.md") {
		if r.section == "Annotations" {
			described = append(described, spans(r.cells[0])...)
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "internal/spec/annotations.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(strings.ToLower(v.Names[0].Name), "annotation") {
			return true
		}
		key, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if !slices.ContainsFunc(described, func(d string) bool {
			return d == key || strings.HasSuffix(key, ".") && strings.HasPrefix(d, key)
		}) {
			t.Errorf("docs/SPEC.md: the annotation %s is missing", key)
		}
		return true
	})
	if found == 0 {
		t.Error("no annotations found")
	}
}

func TestGuardsStandWhereTheDocumentSays(t *testing.T) {
	for _, r := range rows(t, "docs/THREATS.md") {
		places := 0
		for _, span := range spans(r.cells[1]) {
			top, _, _ := strings.Cut(span, "/")
			switch top {
			case "cgroups", "internal", "libcontainer", "nsenter", "seccomp":
				places++
				if _, err := os.Stat(filepath.Join(root, span)); err != nil {
					t.Errorf("%v: %v", r, err)
				}
			}
		}
		if places == 0 {
			t.Errorf("%v: says not where the guard is", r)
		}
	}
}

var advisory = regexp.MustCompile(`CVE-\d{4}-\d+|GHSA(-[0-9a-z]{4}){3}`)

// A guard whose comment names an attack belongs into the list of them.
func TestEveryAttackThatTheSourceNamesIsInTheList(t *testing.T) {
	list := document(t, "docs/THREATS.md")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "out" || name == "bin") {
				return fs.SkipDir
			}
			return nil
		case filepath.Ext(path) != ".go" && filepath.Ext(path) != ".c" && filepath.Ext(path) != ".h":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, id := range advisory.FindAllString(string(text), -1) {
			if !regexp.MustCompile(id + `\b`).MatchString(list) {
				t.Errorf("docs/THREATS.md: %s of %s is missing", id, path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
