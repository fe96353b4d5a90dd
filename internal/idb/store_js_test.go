package idb_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall/js"
	"testing"

	"snug/client"
	"snug/internal/idb"
	"snug/internal/testkit"
)

// databases numbers the tests' databases.
var databases atomic.Int64

// TestContract runs in Chromium, by web/test/idb.test.ts.
func TestContract(t *testing.T) {
	testkit.TestClientStore(t, func(t *testing.T) func() client.Store {
		name := fmt.Sprintf("test %d", databases.Add(1))
		t.Cleanup(func() {
			// The contract's tests leave stores open; a database that cannot go now goes with the browser.
			go func() { _ = idb.Delete(t.Context(), name) }()
		})
		return func() client.Store {
			s, err := idb.Open(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

// TestOpenDenied: a browser that keeps nothing for the page says so in one of several ways, and each time a person hears
// what to do.
func TestOpenDenied(t *testing.T) {
	factory := js.Global().Get("IDBFactory").Get("prototype")
	real := factory.Get("open")
	t.Cleanup(func() { factory.Set("open", real) })
	for name, script := range map[string]string{
		"throws": `throw new DOMException("The operation is insecure.", "SecurityError")`,
		"fails": `const request = { error: new DOMException("Internal error.", "UnknownError") };
			setTimeout(() => request.onerror());
			return request`,
	} {
		t.Run(name, func(t *testing.T) {
			factory.Set("open", js.Global().Get("Function").New(script))
			_, err := idb.Open(t.Context(), "denied")
			if err == nil || !strings.Contains(err.Error(), "allow site data") {
				t.Errorf("opening gives %v, want what to do about it", err)
			}
		})
	}
}
