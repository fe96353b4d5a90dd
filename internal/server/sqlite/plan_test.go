package sqlite_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"snug/internal/ident"
	"snug/internal/server/sqlite"
)

// scans are the statements that may look at all rows of a table, or of an index, with the reason.
var scans = map[string]string{
	"INSERT INTO joined (room, account, at, since) SELECT ?, row, ?, 0 FROM account": "the room of everyone, which the first start makes",
}

// TestPlans: every statement of the package finds its rows by an index. The writer is everybody's, and nobody who asks for
// something may have it look at all that the server keeps.
func TestPlans(t *testing.T) {
	s, err := sqlite.Open(t.TempDir(), sqlite.Config{Rand: ident.Random()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	queries := statements(t)
	if len(queries) < 100 {
		t.Errorf("only %d statements were found", len(queries))
	}
	allowed := make(map[string]bool)
	for _, query := range queries {
		plan, err := sqlite.Plan(s, query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
		}
		for _, step := range plan {
			if !looksAtAll(step) {
				continue
			}
			if scans[query] == "" {
				t.Errorf("%s\n\t%s", query, strings.Join(plan, "\n\t"))
				break
			}
			allowed[query] = true
		}
	}
	for query := range scans {
		if !allowed[query] {
			t.Errorf("needs no exception: %s", query)
		}
	}
}

// few are the indexes that hold few rows of their tables: owners, their invites, the rooms of everyone.
var few = []string{"account_owner", "invite_owner", "room_everyone"}

// looksAtAll reports whether a step of a plan goes through a table or index. What a statement has made itself before is as
// small as that.
func looksAtAll(step string) bool {
	name, scan := strings.CutPrefix(step, "SCAN ")
	_, index, _ := strings.Cut(name, " INDEX ")
	return scan && !strings.HasPrefix(name, "(") && name != "me" && name != "CONSTANT ROW" && !slices.Contains(few, index)
}

// statements gives the text of every statement that the package hands to SQLite, by its source. A text that is put together
// otherwise than of constants fails.
func statements(t *testing.T) []string {
	t.Helper()
	p := &source{T: t, fset: token.NewFileSet(), info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{},
		Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(p.fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		p.files = append(p.files, f)
	}
	// What is imported is not looked at: constants of this package are all that is wanted.
	config := types.Config{Error: func(error) {}, Importer: nothing{}}
	_, _ = config.Check("sqlite", p.fset, p.files, p.info)
	// By which argument functions take statements: of those in query.go, and of those who hand theirs on.
	p.sinks = map[string]int{"run": 1, "one": 1, "Prepare": 0}
	for before := -1; before != len(p.sinks); {
		before, p.found = len(p.sinks), nil
		p.calls()
	}
	slices.Sort(p.found)
	return slices.Compact(p.found)
}

// nothing imports packages as empty ones.
type nothing struct{}

// Import is types.Importer's.
func (nothing) Import(path string) (*types.Package, error) {
	p := types.NewPackage(path, path[strings.LastIndex(path, "/")+1:])
	p.MarkComplete()
	return p, nil
}

// source is the package's.
type source struct {
	*testing.T
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
	sinks map[string]int
	found []string
}

// calls goes through all functions.
func (p *source) calls() {
	for _, f := range p.files {
		if strings.HasSuffix(p.fset.File(f.Pos()).Name(), "query.go") || strings.HasSuffix(p.fset.File(f.Pos()).Name(), "migrate.go") {
			continue // which take any text, or ask for no rows of ours
		}
		for _, d := range f.Decls {
			if function, ok := d.(*ast.FuncDecl); ok {
				ast.Inspect(function, func(n ast.Node) bool {
					if call, ok := n.(*ast.CallExpr); ok {
						p.call(function, call)
					}
					return true
				})
			}
		}
	}
}

func (p *source) call(in *ast.FuncDecl, call *ast.CallExpr) {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	if at, sink := p.sinks[name]; sink && at < len(call.Args) {
		p.text(in, call.Args[at])
	}
}

// text finds what an expression may be.
func (p *source) text(in *ast.FuncDecl, e ast.Expr) {
	if v := p.info.Types[e].Value; v != nil && v.Kind() == constant.String {
		p.found = append(p.found, constant.StringVal(v))
		return
	}
	if name, ok := e.(*ast.Ident); ok {
		object := p.info.Uses[name]
		if at := parameter(p.info, in, object); at >= 0 {
			p.sinks[in.Name.Name] = at
			return
		}
		if p.assigned(in, object) {
			return
		}
	}
	p.Errorf("%v: a statement that is not put together of constants", p.fset.Position(e.Pos()))
}

// parameter gives which parameter of a function an object is; -1 for none.
func parameter(info *types.Info, f *ast.FuncDecl, object types.Object) int {
	at := 0
	for _, field := range f.Type.Params.List {
		for _, name := range field.Names {
			if info.Defs[name] == object {
				return at
			}
			at++
		}
	}
	return -1
}

// assigned finds what a local variable is set to, and reports whether that is anything.
func (p *source) assigned(in *ast.FuncDecl, object types.Object) (any bool) {
	is := func(e ast.Expr) bool {
		name, ok := e.(*ast.Ident)
		return ok && object != nil && (p.info.Defs[name] == object || p.info.Uses[name] == object)
	}
	ast.Inspect(in, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.AssignStmt:
			for i, left := range s.Lhs {
				if is(left) && len(s.Lhs) == len(s.Rhs) {
					any = true
					p.text(in, s.Rhs[i])
				}
			}
		case *ast.RangeStmt:
			if list, ok := s.X.(*ast.CompositeLit); ok && s.Value != nil && is(s.Value) {
				any = true
				for _, e := range list.Elts {
					p.text(in, e)
				}
			}
		}
		return true
	})
	return any
}
