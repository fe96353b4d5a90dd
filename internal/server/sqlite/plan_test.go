package sqlite_test

import (
	"strings"
	"testing"

	"snug/internal/ident"
	"snug/internal/server/sqlite"
)

// TestPlans: what a device asks for again and again looks at its own rooms, and not at all that the server has.
func TestPlans(t *testing.T) {
	s, err := sqlite.Open(t.TempDir(), sqlite.Config{Rand: ident.Random()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	plans, err := sqlite.Plans(s)
	if err != nil {
		t.Fatal(err)
	}
	for name, plan := range plans {
		if len(plan) == 0 {
			t.Errorf("%s: no plan", name)
		}
		for _, step := range plan {
			if strings.HasPrefix(step, "SCAN") {
				t.Errorf("%s: %s\n\t%s", name, step, strings.Join(plan, "\n\t"))
			}
		}
	}
}
