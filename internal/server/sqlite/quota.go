package sqlite

import (
	"snug/internal/server"
	"snug/internal/wire"

	"zombiezen.com/go/sqlite"
)

// What accounts have stored is counted in memory and written down now and then: a row for each message would cost a tenth of
// what the writer can do. A crash forgets less than unsavedBytes of each account.
const (
	// unsavedBytes is how much an account may have stored that is not written down.
	unsavedBytes = 64 << 10
	// cachedAccounts bounds the accounts in memory; beyond them all is written down and forgotten.
	cachedAccounts = 65536
	// entryBytes is what an entry takes beside its payload, in bytes: its row and its place in an index. rowBytes is the same
	// of smaller rows: members, rooms, invites.
	entryBytes, rowBytes = 160, 64
)

// stored is how many bytes an account has stored, and how many of them are written down.
type stored struct{ bytes, saved int64 }

// stored gives what an account has stored.
func (w *writer) stored(account int64) (*stored, error) {
	if s := w.usage[account]; s != nil {
		return s, nil
	}
	s := &stored{}
	_, err := one(w.conn, "SELECT bytes FROM usage WHERE account = ?", func(row *sqlite.Stmt) { s.bytes = row.ColumnInt64(0) }, account)
	if err != nil {
		return nil, err
	}
	s.saved = s.bytes
	w.usage[account] = s
	return s, nil
}

// charge counts bytes that an account stores, or has no longer.
func (w *writer) charge(account, bytes int64) error {
	s, err := w.stored(account)
	if err != nil || bytes == 0 {
		return err
	}
	s.bytes += bytes
	w.charged = append(w.charged, charge{account, bytes})
	return nil
}

// charge is what was counted since a batch or op began.
type charge struct{ account, bytes int64 }

// uncharge takes back what was counted after the first n.
func (w *writer) uncharge(n int) {
	for _, c := range w.charged[n:] {
		w.usage[c.account].bytes -= c.bytes
	}
	w.charged = w.charged[:n]
}

// mayStore gives ErrQuota where an account would have stored too much. What keeps rooms going may take a little more than
// what is said: that devices and people go out of them, and that their keys are renewed.
func (w *writer) mayStore(account, bytes int64, urgent bool) (*server.Refusal, error) {
	if w.quota == 0 {
		return nil, nil
	}
	s, err := w.stored(account)
	if err != nil {
		return nil, err
	}
	most := w.quota
	if urgent {
		most += w.quota / 8
	}
	if s.bytes+bytes > most {
		return server.ErrQuota, nil
	}
	return nil, nil
}

// store charges bytes of an op, ErrQuota where those are too many.
func (w *writer) store(account, bytes int64) error {
	if bytes > 0 {
		if refusal, err := w.mayStore(account, bytes, false); err != nil || refusal != nil {
			return orRefusal(err, refusal)
		}
	}
	return w.charge(account, bytes)
}

func orRefusal(err error, refusal *server.Refusal) error {
	if err == nil && refusal != nil {
		return refusal
	}
	return err
}

// entrySize gives what an entry takes, with the Welcome that waits beside it.
func entrySize(s *server.Submission) int64 {
	n := int64(entryBytes + len(s.Payload))
	if s.Commit != nil {
		n += int64(rowBytes * (len(s.Commit.Added) + len(s.Commit.Removed)))
		if len(s.Commit.Added) > 0 {
			n += int64(len(s.Commit.Welcome))
		}
	}
	return n
}

// urgent reports whether an entry keeps a room going: it says nothing and lets nobody in.
func urgent(s *server.Submission) bool {
	said := s.Kind == wire.EntryKind_ENTRY_KIND_SEALED || s.Kind == wire.EntryKind_ENTRY_KIND_OPEN
	return !said && (s.Commit == nil || len(s.Commit.Added) == 0)
}

// saveUsage writes down, in the batch's transaction, what those have stored of whom much is not; of all before they are
// forgotten.
func (w *writer) saveUsage() error {
	if len(w.usage) >= cachedAccounts {
		return w.saveAllUsage()
	}
	for _, c := range w.charged {
		s := w.usage[c.account]
		if d := s.bytes - s.saved; d > -unsavedBytes && d < unsavedBytes {
			continue
		}
		if err := w.save(c.account, s); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) save(account int64, s *stored) error {
	if s.bytes == s.saved {
		return nil
	}
	const upsert = "INSERT INTO usage (account, bytes) VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET bytes = excluded.bytes"
	if err := run(w.conn, upsert, nil, account, s.bytes); err != nil {
		return err
	}
	s.saved = s.bytes
	return nil
}

func (w *writer) saveAllUsage() error {
	for account, s := range w.usage {
		if err := w.save(account, s); err != nil {
			return err
		}
	}
	return nil
}

// saveAtEnd writes all of it down when the writer ends.
func (w *writer) saveAtEnd() error {
	if w.failed != nil || len(w.usage) == 0 {
		return nil
	}
	err := run(w.conn, "BEGIN IMMEDIATE", nil)
	if err == nil {
		err = w.saveAllUsage()
	}
	if err == nil {
		err = run(w.conn, "COMMIT", nil)
	}
	if full(err) {
		return nil // it is counted no worse than after a crash
	}
	return err
}
