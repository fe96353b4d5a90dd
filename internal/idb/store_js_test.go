package idb_test

import (
	"fmt"
	"sync/atomic"
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
