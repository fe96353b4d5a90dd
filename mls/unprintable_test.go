package mls

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	html "html/template"
	"log/slog"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	text "text/template"
	"unsafe"
)

// What a struct may hold that must not be seen.
var secretTypes = []string{"Secret", "Signer", "PrivateKey"}

// structTypes reads all struct types of the package from its source.
func structTypes(t *testing.T) map[string]*ast.StructType {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[string]*ast.StructType)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if s, ok := spec.Type.(*ast.StructType); ok {
					out[spec.Name.Name] = s
				}
			}
			return true
		})
	}
	return out
}

// heldIn names the types of the values that a field leads to. Pointers count: fmt follows one that is under a verb which pointers do
// not have, such as %s.
func heldIn(e ast.Expr) (names []string) {
	switch e := e.(type) {
	case *ast.Ident:
		return []string{e.Name}
	case *ast.SelectorExpr:
		return []string{e.Sel.Name}
	case *ast.ArrayType:
		return heldIn(e.Elt)
	case *ast.MapType:
		return append(heldIn(e.Key), heldIn(e.Value)...)
	case *ast.StarExpr:
		return heldIn(e.X)
	}
	return nil
}

// TestSecretsAreUnprintable reads the source: each struct that holds a secret where its methods are not asked must be
// unprintable as a whole.
func TestSecretsAreUnprintable(t *testing.T) {
	structs := structTypes(t)
	holders := slices.Clone(secretTypes)
	for grown := true; grown; {
		grown = false
		for name, s := range structs {
			for _, f := range s.Fields.List {
				if !slices.Contains(holders, name) && slices.ContainsFunc(heldIn(f.Type), func(n string) bool { return slices.Contains(holders, n) }) {
					holders, grown = append(holders, name), true
				}
			}
		}
	}
	found := 0
	for name, s := range structs {
		if !slices.Contains(holders, name) {
			continue
		}
		found++
		if why := prints(s, structs, holders); why != "" {
			t.Errorf("%s prints its %s: embed unprintable", name, why)
		}
	}
	if found < 20 {
		t.Errorf("%d structs hold secrets, want the more than 20 that there are", found)
	}
}

// prints names the field through which a struct shows a secret.
func prints(s *ast.StructType, structs map[string]*ast.StructType, holders []string) string {
	if isUnprintable(s, structs) {
		return ""
	}
	for _, f := range s.Fields.List {
		for _, held := range heldIn(f.Type) {
			if !slices.Contains(holders, held) {
				continue
			}
			protected := held == "Secret" || structs[held] != nil && prints(structs[held], structs, holders) == ""
			for _, name := range f.Names {
				if !name.IsExported() || !protected {
					return name.Name
				}
			}
			if len(f.Names) == 0 && !protected {
				return held
			}
		}
	}
	return ""
}

// isUnprintable tells whether a struct has the methods, by embedding unprintable, a Secret, or a struct that does.
func isUnprintable(s *ast.StructType, structs map[string]*ast.StructType) bool {
	for _, f := range s.Fields.List {
		if len(f.Names) > 0 {
			continue
		}
		e := f.Type
		if p, ok := e.(*ast.StarExpr); ok {
			e = p.X
		}
		id, ok := e.(*ast.Ident)
		if ok && (id.Name == "unprintable" || id.Name == "Secret" || structs[id.Name] != nil && isUnprintable(structs[id.Name], structs)) {
			return true
		}
	}
	return false
}

const canary = "a canary of thirty-two bytes !!!"

// plant fills all secrets in v with the canary, through every field, exported or not.
func plant(v reflect.Value, depth int) {
	if depth > 6 {
		return
	}
	if v.CanAddr() && !v.CanSet() {
		v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	}
	switch {
	case v.Type() == reflect.TypeFor[Secret]():
		v.SetBytes([]byte(canary))
	case v.Type() == reflect.TypeFor[crypto.Signer]():
		v.Set(reflect.ValueOf(ed25519.NewKeyFromSeed([]byte(canary))))
	case v.Kind() == reflect.Struct && v.Type().PkgPath() == reflect.TypeFor[Group]().PkgPath():
		for i := range v.NumField() {
			plant(v.Field(i), depth+1)
		}
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct:
		v.Set(reflect.New(v.Type().Elem()))
		plant(v.Elem(), depth+1)
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		plant(v.Index(0), depth+1)
	case v.Kind() == reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		plant(value, depth+1)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	}
}

// TestCanary prints, logs and marshals types with a canary in the place of each secret.
func TestCanary(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Secret](), reflect.TypeFor[Config](), reflect.TypeFor[KeyPackageOptions](), reflect.TypeFor[LeafOptions](),
		reflect.TypeFor[CommitOptions](), reflect.TypeFor[Record](), reflect.TypeFor[Delta](), reflect.TypeFor[Group](),
		reflect.TypeFor[StagedCommit](), reflect.TypeFor[KeyPackagePrivate](), reflect.TypeFor[CommitContext](), reflect.TypeFor[ReceivedProposal](),
		reflect.TypeFor[epoch](), reflect.TypeFor[nextEpoch](), reflect.TypeFor[pendingProposal](), reflect.TypeFor[epochSecrets](),
		reflect.TypeFor[initSecret](), reflect.TypeFor[commitSecret](), reflect.TypeFor[joinerSecret](), reflect.TypeFor[memberSecret](),
		reflect.TypeFor[privateKey](), reflect.TypeFor[privateKeys](), reflect.TypeFor[pathSecrets](), reflect.TypeFor[preSharedKey](),
		reflect.TypeFor[messageKey](), reflect.TypeFor[ratchet](), reflect.TypeFor[secretTree](), reflect.TypeFor[keyUse](),
		reflect.TypeFor[groupSecrets](), reflect.TypeFor[joining](), reflect.TypeFor[committing](), reflect.TypeFor[transition](),
		reflect.TypeFor[listedProposal](), reflect.TypeFor[savedState](), reflect.TypeFor[deltaWriter](), reflect.TypeFor[loader](),
	} {
		v := reflect.New(typ)
		plant(v.Elem(), 0)
		slice := reflect.MakeSlice(reflect.SliceOf(typ), 1, 1)
		slice.Index(0).Set(v.Elem())
		for _, shown := range []any{v.Elem().Interface(), v.Interface(), slice.Interface(), struct{ V any }{v.Elem().Interface()}} {
			out := everyForm(shown)
			for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), fmt.Sprint([]byte(canary))[1:90],
				fmt.Sprintf("%#v", []byte(canary))[7:90], "YSBjYW5hcnkgb2YgdGhpcnR5"} {
				if strings.Contains(out, form) {
					t.Errorf("%T shows a secret as %.60q", shown, form)
				}
			}
		}
	}
}

// TestSecretsAreNotEncoded has encoding/gob refuse what holds secrets, rather than write less: a state that was saved so and is empty
// would be found out too late.
func TestSecretsAreNotEncoded(t *testing.T) {
	g := groupOf(t, 2)[0]
	_, _, private := party(t, "alice")
	c, err := g.Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	delta := g.Delta()
	for _, v := range []any{Secret(canary), delta, &delta, delta.Puts, delta.Puts[0], g, c, private, g.cfg, LeafOptions{}, CommitOptions{Leaf: LeafOptions{Signer: g.cfg.Signer}}, struct{ V Secret }{Secret(canary)}} {
		var out bytes.Buffer
		if err := gob.NewEncoder(&out).Encode(v); !errors.Is(err, errSecret) {
			t.Errorf("%T encodes as gob, %d bytes: %v", v, out.Len(), err)
		}
		if m, ok := v.(encoding.BinaryMarshaler); ok {
			if b, err := m.MarshalBinary(); err != errSecret || len(b) > 0 {
				t.Errorf("%T marshals as %d bytes: %v", v, len(b), err)
			}
		}
	}
}

// everyForm is v as every common way of showing a value shows it.
func everyForm(v any) string {
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "%q", "%d", "%o", "%b", "%c", "%U"} {
		fmt.Fprintf(&out, verb+"\n", v)
	}
	fmt.Fprint(&out, v)
	slog.New(slog.NewTextHandler(&out, nil)).Info("", "v", v)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("", "v", v)
	marshalled, _ := json.Marshal(v)
	out.Write(marshalled)
	marshalled, _ = xml.Marshal(v)
	out.Write(marshalled)
	gob.NewEncoder(&out).Encode(v)
	switch v.(type) {
	case Secret, *Secret: // encoding/binary writes these as the bytes that they are, and asks no method
	default:
		binary.Write(&out, binary.BigEndian, v)
	}
	for _, source := range []string{"{{.}}", "{{print .}}", "{{html .}}", "{{js .}}", "{{urlquery .}}", `{{printf "%x %v" . .}}`, "{{range .}}{{.}}{{end}}"} {
		text.Must(text.New("").Parse(source)).Execute(&out, v)
		html.Must(html.New("").Parse("<p title='{{.}}'>{{.}}<script>{{.}}</script>")).Execute(&out, v)
	}
	return out.String()
}
