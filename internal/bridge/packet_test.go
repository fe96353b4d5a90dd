package bridge_test

import (
	"bytes"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"snug/internal/bridge"
)

// fill sets every field of a message, to a depth.
func fill(v reflect.Value, depth int) {
	for i := range v.NumField() {
		field := v.Field(i)
		if !field.CanSet() {
			continue
		}
		fillField(field, depth)
	}
}

func fillField(field reflect.Value, depth int) {
	switch field.Kind() {
	case reflect.String:
		field.SetString("text ⟨é⟩")
	case reflect.Bool:
		field.SetBool(true)
	case reflect.Int32:
		field.SetInt(1)
	case reflect.Int64:
		field.SetInt(1_790_000_000_000)
	case reflect.Uint32, reflect.Uint64:
		field.SetUint(300)
	case reflect.Slice:
		field.Set(reflect.MakeSlice(field.Type(), 2, 2))
		for i := range field.Len() {
			fillField(field.Index(i), depth)
		}
	case reflect.Pointer:
		if depth == 0 {
			return
		}
		field.Set(reflect.New(field.Type().Elem()))
		fill(field.Elem(), depth-1)
	}
}

// messages are all that can stand in a Call or a Packet, by the getters of the two.
func messages(t *testing.T, of any) []reflect.Type {
	t.Helper()
	var found []reflect.Type
	kind := reflect.TypeOf(of)
	for i := range kind.NumMethod() {
		method := kind.Method(i)
		if strings.HasPrefix(method.Name, "Get") && method.Type.NumOut() == 1 && method.Type.Out(0).Kind() == reflect.Pointer {
			found = append(found, method.Type.Out(0))
		}
	}
	if len(found) < 19 {
		t.Fatalf("%v has %d bodies, want them all", kind, len(found))
	}
	return found
}

type packet interface {
	MarshalVT() ([]byte, error)
	UnmarshalVT([]byte) error
}

func TestEveryMessageRoundTrips(t *testing.T) {
	for _, kind := range append(messages(t, &bridge.Call{}), messages(t, &bridge.Packet{})...) {
		t.Run(kind.Elem().Name(), func(t *testing.T) {
			want := reflect.New(kind.Elem())
			fill(want.Elem(), 3)
			b, err := want.Interface().(packet).MarshalVT()
			if err != nil {
				t.Fatal(err)
			}
			got := reflect.New(kind.Elem())
			if err := got.Interface().(packet).UnmarshalVT(b); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Interface(), want.Interface()) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			for n := range b {
				_ = reflect.New(kind.Elem()).Interface().(packet).UnmarshalVT(b[:n]) // an error or not, no panic
			}
		})
	}
}

func FuzzCall(f *testing.F) {
	f.Add([]byte{8, 1, 0x12, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		call := new(bridge.Call)
		if call.UnmarshalVT(b) != nil {
			return
		}
		once, err := call.MarshalVT()
		if err != nil {
			t.Fatal(err)
		}
		again := new(bridge.Call)
		if err := again.UnmarshalVT(once); err != nil {
			t.Fatal(err)
		}
		twice, err := again.MarshalVT()
		if err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%x encodes to %x, then to %x, %v", b, once, twice, err)
		}
	})
}

// TestDependencies keeps out of the browser's download what is dear and not needed there.
func TestDependencies(t *testing.T) {
	list := exec.Command("go", "list", "-tags", "mls_ed25519", "-deps", "-f", "{{.ImportPath}}: {{join .Imports \" \"}}", "snug/cmd/snug-wasm")
	list.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	banned := map[string]string{
		"net/http": "2.1 MiB", "crypto/tls": "1.5 MiB", "crypto/x509": "part of crypto/tls", "net": "there are no sockets",
		"database/sql": "there is no database", "os/exec": "there are no processes", "html/template": "the page is Svelte's",
		"google.golang.org/protobuf/proto": "3.7 MiB", "encoding/gob": "reflection", "text/template": "reflection",
		"crypto/ecdsa": "0.13 MiB compressed, with math/big: mls needs it for suites that no room has",
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if why, ok := banned[path]; ok {
			t.Errorf("%s is in the browser's core: %s", path, why)
		}
		// log/slog links it; what is not called is left out, as long as nothing of ours calls it.
		if strings.HasPrefix(path, "snug/") && strings.Contains(" "+imports+" ", " encoding/json ") {
			t.Errorf("%s imports encoding/json", path)
		}
	}
}
