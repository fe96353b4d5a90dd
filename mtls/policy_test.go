package mtls_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSkipVerify: the repository's Go files name the switch that turns certificate
// checks off in one place, where the next line puts a stricter one. Comments and
// strings may say the word.
func TestSkipVerify(t *testing.T) {
	root := ".."
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	var places []string
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == "node_modules" || name == ".git") {
			return filepath.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(path, ".go") {
			files++
			places = append(places, skips(t, path)...)
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Fatalf("looked at %d files: %v", files, err)
	}
	if want := filepath.Join(root, "mtls", "config.go"); len(places) != 1 || places[0] != want {
		t.Errorf("InsecureSkipVerify in %v, want it once, in %s", places, want)
	}
}

// skips gives the path once for every time the switch is named, in whatever way.
func skips(t *testing.T, path string) (places []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok && name.Name == "InsecureSkipVerify" {
			places = append(places, path)
		}
		return true
	})
	return places
}
