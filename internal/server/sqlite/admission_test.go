package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/testkit"
	"snug/internal/wire"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// crowd is a store in which a victim is in rooms of many strangers.
type crowd struct {
	*testing.T
	store *sqlite.Store
}

func (c *crowd) account(handle string) server.Device {
	c.Helper()
	n := testkit.NewAccount(c.T, handle)
	if _, err := c.store.CreateAccount(c.Context(), n); err != nil {
		c.Fatal(err)
	}
	return n.Device
}

// letIn makes a room and lets somebody in.
func (c *crowd) letIn(by, who server.Device) error {
	c.Helper()
	room, err := ident.NewRoomID(ident.Random())
	if err != nil {
		c.Fatal(err)
	}
	n := server.NewRoom{ID: room, Kind: wire.RoomKind_ROOM_KIND_SEALED, By: by.ID, At: 1}
	if _, err := c.store.CreateRoom(c.Context(), n); err != nil {
		c.Fatal(err)
	}
	done := make(chan struct{})
	s := &server.Submission{Room: room, Device: by.ID, Account: by.Account, ID: ident.MessageID(room), Kind: wire.EntryKind_ENTRY_KIND_COMMIT,
		Payload: []byte("commit"), At: 5000, Done: func(*server.Submission) { close(done) },
		Commit: &server.Commit{Added: []server.DeviceRef{{Account: who.Account, Device: who.ID}}, Welcome: []byte("welcome")}}
	c.store.Submit(s)
	<-done
	return s.Err
}

// strangers puts the victim into so many rooms of others, with the database closed.
func (c *crowd) strangers(dir, victim string, n int) {
	c.Helper()
	if err := c.store.Close(); err != nil {
		c.Fatal(err)
	}
	conn, err := zombiezen.OpenConn(filepath.Join(dir, "snug.db"), zombiezen.OpenReadWrite)
	if err != nil {
		c.Fatal(err)
	}
	const insert = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
		INSERT INTO admission (account, room, inviter, stranger, times)
		SELECT (SELECT row FROM account WHERE handle = ?2), i + 1000000, i + 1000000, 1, 1 FROM n WHERE true ON CONFLICT DO NOTHING`
	err = sqlitex.ExecuteTransient(conn, insert, &sqlitex.ExecOptions{Args: []any{n, victim}})
	if err := errors.Join(err, conn.Close()); err != nil {
		c.Fatal(err)
	}
	c.store = openStore(c.T, dir)
}

// TestManyStrangers: many strangers together keep nobody from reaching an account for the first time, up to a bound that
// takes as many accounts; and never those who know it.
func TestManyStrangers(t *testing.T) {
	dir := t.TempDir()
	c := &crowd{T: t, store: openStore(t, dir)}
	defer func() {
		if err := c.store.Close(); err != nil {
			t.Error(err)
		}
	}()
	victim, mallory, friend, late := c.account("victim"), c.account("mallory"), c.account("friend"), c.account("late")
	refused := server.Refuse(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "")

	// The victim knows the friend: it made the room.
	if err := c.letIn(victim, friend); err != nil {
		t.Fatal(err)
	}
	c.strangers(dir, "victim", server.ManyAdmissions)
	if err := c.letIn(mallory, victim); err != nil {
		t.Errorf("a stranger's first room is refused: %v", err)
	}
	if err := c.letIn(mallory, victim); !errors.Is(err, refused) {
		t.Errorf("beside many strangers, a stranger's second room: %v", err)
	}
	c.strangers(dir, "victim", server.MaxAdmissions)
	if err := c.letIn(late, victim); !errors.Is(err, refused) {
		t.Errorf("a stranger beyond the most: %v", err)
	}
	if err := c.letIn(friend, victim); err != nil {
		t.Errorf("who is known is refused: %v", err)
	}
	if err := c.letIn(victim, late); err != nil {
		t.Errorf("the victim reaches nobody: %v", err)
	}
	if err := c.letIn(late, victim); err != nil {
		t.Errorf("whom the victim has let in is refused: %v", err)
	}
}
