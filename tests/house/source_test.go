package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// source calls visit with each non-test file of the module's own packages.
func source(t *testing.T, visit func(path string, f *ast.File, fset *token.FileSet)) {
	t.Helper()
	for _, p := range list(t, "./...") {
		if strings.HasPrefix(p.ImportPath, "tare/tests/") || strings.HasPrefix(p.ImportPath, "tare/integration") {
			continue
		}
		for _, name := range append(p.GoFiles, p.CgoFiles...) {
			fset := token.NewFileSet()
			path := filepath.Join(p.Dir, name)
			f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			visit(filepath.Join(strings.TrimPrefix(p.ImportPath, "tare/"), name), f, fset)
		}
	}
}

// Each init function and package-level work would cost every container its start.
func TestOnlyTheDoorHasAnInitFunction(t *testing.T) {
	source(t, func(path string, f *ast.File, _ *token.FileSet) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && filepath.Dir(path) != "nsenter" {
				t.Errorf("%s has an init function", path)
			}
		}
	})
}

func TestNoMapsAtPackageLevel(t *testing.T) {
	source(t, func(path string, f *ast.File, fset *token.FileSet) {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			ast.Inspect(g, func(n ast.Node) bool {
				lit, ok := n.(*ast.CompositeLit)
				if !ok {
					return true
				}
				if _, isMap := lit.Type.(*ast.MapType); isMap {
					t.Errorf("%s: a map at package level", fset.Position(lit.Pos()))
				}
				return true
			})
		}
	})
}

// Review greps for the file names.
func TestUnsafeShowsInTheFileName(t *testing.T) {
	source(t, func(path string, f *ast.File, _ *token.FileSet) {
		for _, i := range f.Imports {
			if name, _ := strconv.Unquote(i.Path.Value); name == "unsafe" && !strings.HasSuffix(path, "_unsafe.go") {
				t.Errorf("%s imports unsafe", path)
			}
		}
	})
}

func TestEachPackageAndExportIsDocumented(t *testing.T) {
	documented := map[string]bool{}
	source(t, func(path string, f *ast.File, fset *token.FileSet) {
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || f.Doc != nil
		for _, d := range f.Decls {
			undocumented(d, func(n ast.Node, name string) {
				t.Errorf("%s: %s is exported and has no comment", fset.Position(n.Pos()), name)
			})
		}
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment", dir)
		}
	}
}

func undocumented(d ast.Decl, report func(ast.Node, string)) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			report(d, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					report(s, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						report(s, n.Name)
					}
				}
			}
		}
	}
}

// exportedReceiver tells whether a method belongs to an exported type, or is a function. The methods
// of interfaces that every Go reader knows need no comment.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	switch d.Name.Name {
	case "Error", "Unwrap", "Is", "String", "Len", "Less", "Swap":
		return false
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}
