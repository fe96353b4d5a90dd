package sqlite

import (
	"context"
	"errors"
	"fmt"

	"snug/internal/ident"
	"snug/internal/server"

	"zombiezen.com/go/sqlite"
)

// writer owns the connection that writes, and what it remembers of rooms and
// devices: as nobody else writes, that is never stale. Two goroutines: run
// commits batches, announce tells their submitters, so that the next batch is on
// its way to the disk meanwhile.
type writer struct {
	queue    chan write
	finished chan []write // committed or refused, in order
	free     chan []write // batches to fill again
	ended    chan struct{}
	broken   func(error)

	// Owned by run from here.
	conn    *sqlite.Conn
	rooms   map[ident.RoomID]*room
	devices map[ident.DeviceID]*device
	// usage is what accounts have stored, by their rows; charged what was added to it since the last commit. quota is how much
	// each may, in bytes; 0 for no bound.
	usage   map[int64]*stored
	charged []charge
	quota   int64
	dirty   int   // pages written to the WAL since the last checkpoint, about
	failed  error // set for ever after the first fatal error
}

// write is one of the two kinds of work: a submission or anything else.
type write struct {
	sub *server.Submission
	op  *op
}

// op is a write that is no submission.
type op struct {
	do   func(*writer) error
	err  error
	done chan struct{} // closed when err counts
}

func newWriter(conn *sqlite.Conn, quota int64, broken func(error)) *writer {
	const inFlight = 3 // being filled, on its way to the disk, being announced
	w := &writer{
		queue: make(chan write, queued), finished: make(chan []write, inFlight), free: make(chan []write, inFlight),
		ended: make(chan struct{}), broken: broken, conn: conn,
		rooms: make(map[ident.RoomID]*room), devices: make(map[ident.DeviceID]*device), usage: make(map[int64]*stored), quota: quota,
	}
	for range inFlight {
		w.free <- make([]write, 0, maxBatch)
	}
	go w.run()
	go w.announce()
	return w
}

// close commits what is queued, tells everybody, and closes the connection. No
// write may be under way or begin.
func (w *writer) close() error {
	close(w.queue)
	<-w.ended
	return errors.Join(w.saveAtEnd(), w.conn.Close())
}

// update queues a write and waits until it is durable. do runs in the writer's
// goroutine, in a savepoint: when it returns an error, nothing of it remains.
func (s *Store) update(ctx context.Context, do func(*writer) error) error {
	o := &op{do: do, done: make(chan struct{})}
	select {
	case s.write.queue <- write{op: o}:
	case <-ctx.Done():
		return ctx.Err()
	}
	// No way out by ctx from here: do shares variables with its caller.
	<-o.done
	return o.err
}

// Submit is server.LogStore's.
func (s *Store) Submit(sub *server.Submission) { s.write.queue <- write{sub: sub} }

func (w *writer) run() {
	defer close(w.finished)
	for first := range w.queue {
		batch := w.gather(append(<-w.free, first))
		w.commit(batch)
		w.finished <- batch
		if w.dirty > checkpointPages && w.failed == nil {
			w.checkpoint()
		}
	}
}

// gather adds what is queued at this moment: nobody is kept waiting for others to
// come. While one batch is being synced the next one queues up by itself.
func (w *writer) gather(batch []write) []write {
	size := batch[0].size()
	for len(batch) < maxBatch && size < maxBatchBytes {
		select {
		case next, ok := <-w.queue:
			if !ok {
				return batch
			}
			size += next.size()
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

func (b write) size() int {
	if b.sub == nil {
		return 0
	}
	n := len(b.sub.Payload)
	if b.sub.Commit != nil {
		n += len(b.sub.Commit.Welcome)
	}
	return n
}

// refused is the outcome of a write before its batch is durable: nil where it will
// be done.
func (b write) refused() error {
	if b.sub != nil {
		return b.sub.Err
	}
	return b.op.err
}

func (b write) refuse(err error) {
	if b.sub != nil {
		b.sub.Err = err
		return
	}
	b.op.err = err
}

// commit carries out a batch in one transaction. Refusals stay what they are; all
// others share the fate of the transaction.
func (w *writer) commit(batch []write) {
	if w.failed == nil {
		err := w.apply(batch)
		if err == nil {
			return
		}
		if !full(err) || !w.rollback() {
			w.failed = fmt.Errorf("writing the database: %w", err)
			w.broken(w.failed)
		}
		clear(w.rooms)
		clear(w.devices)
		clear(w.usage)
		w.charged = w.charged[:0]
		if w.failed == nil {
			w.checkpoint() // frees the WAL for what will be written next
		}
	}
	for _, b := range batch {
		var refusal *server.Refusal
		switch {
		case errors.As(b.refused(), &refusal):
		case w.failed != nil:
			b.refuse(w.failed)
		default:
			b.refuse(server.ErrStorageFull)
		}
	}
}

// apply gives nil when the batch is durable, else the error that ended it.
func (w *writer) apply(batch []write) error {
	if err := run(w.conn, "BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	for _, b := range batch {
		var err error
		if b.sub != nil {
			err = w.submit(b.sub)
		} else {
			err = w.do(b.op)
		}
		if err != nil {
			return err
		}
	}
	if err := w.saveUsage(); err != nil {
		return err
	}
	w.charged = w.charged[:0]
	if err := run(w.conn, "COMMIT", nil); err != nil {
		return err
	}
	if len(w.usage) >= cachedAccounts {
		clear(w.usage)
	}
	return nil
}

// do runs an op in a savepoint. The error is one that ends the batch.
func (w *writer) do(o *op) error {
	if err := run(w.conn, "SAVEPOINT op", nil); err != nil {
		return err
	}
	w.dirty += 8
	charged := len(w.charged)
	o.err = o.do(w)
	if fatal(o.err) {
		return o.err
	}
	if o.err != nil {
		w.uncharge(charged)
		if err := run(w.conn, "ROLLBACK TO op", nil); err != nil {
			return err
		}
	}
	return run(w.conn, "RELEASE op", nil)
}

// rollback reports whether the transaction is gone. SQLite may have rolled it back
// by itself.
func (w *writer) rollback() bool {
	return w.conn.AutocommitEnabled() || run(w.conn, "ROLLBACK", nil) == nil
}

// checkpoint copies the WAL into the database as far as no reader needs the old
// pages. A full disk is no harm here: the WAL keeps what it has.
func (w *writer) checkpoint() {
	w.dirty = 0
	if err := run(w.conn, "PRAGMA wal_checkpoint(PASSIVE)", nil); err != nil && !full(err) && !busy(err) {
		w.failed = fmt.Errorf("copying the write-ahead log: %w", err)
		w.broken(w.failed)
	}
}

func (w *writer) announce() {
	defer close(w.ended)
	for batch := range w.finished {
		for _, b := range batch {
			if b.sub != nil {
				b.sub.Done(b.sub)
			} else {
				close(b.op.done)
			}
		}
		clear(batch)
		w.free <- batch[:0]
	}
}

func full(err error) bool { return sqlite.ErrCode(err).ToPrimary() == sqlite.ResultFull }

func busy(err error) bool { return sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy }

// fatal tells errors that end the batch from those that are the write's own: a
// refusal, or a constraint that we did not foresee.
func fatal(err error) bool {
	var refusal *server.Refusal
	if err == nil || errors.As(err, &refusal) {
		return false
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull, sqlite.ResultIOErr, sqlite.ResultCorrupt, sqlite.ResultNoMem, sqlite.ResultReadOnly,
		sqlite.ResultCantOpen, sqlite.ResultNotADB, sqlite.ResultBusy, sqlite.ResultProtocol:
		return true
	}
	return false
}
