package sqlite

import (
	"testing"

	"modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// TestEngine keeps out engines with the WAL-reset bug, which can lose a
// transaction when a checkpoint and a writer meet: fixed in 3.51.3.
func TestEngine(t *testing.T) {
	const fixed = 3_051_003
	if sqlite.VersionNumber < fixed || sqlite3.SQLITE_VERSION_NUMBER != sqlite.VersionNumber {
		t.Fatalf("engine is %s, want 3.51.3 or newer", sqlite3.SQLITE_VERSION)
	}
}
