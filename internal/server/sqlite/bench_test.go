package sqlite_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/wire"
)

// BenchmarkSubmit measures durable entries of 300 bytes: senders, each with a room
// of its own and a window of unanswered submits.
func BenchmarkSubmit(b *testing.B) {
	for _, window := range []int{1, 16} {
		b.Run(fmt.Sprintf("senders=256/window=%d", window), func(b *testing.B) { benchmarkSubmit(b, 256, window) })
	}
}

func benchmarkSubmit(b *testing.B, senders, window int) {
	s, err := sqlite.Open(b.TempDir(), sqlite.Config{Rand: ident.Random()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	rooms := make([]ident.RoomID, senders)
	devices := make([]server.Device, senders)
	for i := range senders {
		devices[i] = newAccount(b, s, fmt.Sprintf("sender%d", i))
		rooms[i] = newRoom(b, s, devices[i])
	}
	payload := make([]byte, 300)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			free := make(chan *server.Submission, window)
			for range window {
				free <- &server.Submission{Room: rooms[i], Device: devices[i].ID, Kind: wire.EntryKind_ENTRY_KIND_SEALED, Payload: payload}
			}
			for range b.N / senders {
				sub := <-free
				sub.ID, _ = ident.NewMessageID(ident.Random())
				sub.PayloadHash = ident.PayloadHash(payload)
				sub.At = time.Now().UnixMilli()
				sub.Done = func(s *server.Submission) {
					if s.Err != nil {
						b.Error(s.Err)
					}
					free <- s
				}
				s.Submit(sub)
			}
			for range window {
				<-free
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func newAccount(t testing.TB, s server.Store, handle string) server.Device {
	t.Helper()
	key, err := ident.NewDeviceKey(ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	_, chain, err := ident.NewAccount(ident.Random(), ident.Handle(handle), time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	d := server.Device{ID: ident.NewDeviceID(chain.Account(), key.Public()), Key: key.Public(), Account: chain.Account(), Handle: handle}
	_, err = s.CreateAccount(t.Context(), server.NewAccount{Account: server.Account{ID: chain.Account(), Handle: handle, Chain: chain.Marshal()}, Device: d})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newRoom(t testing.TB, s server.Store, by server.Device) ident.RoomID {
	t.Helper()
	id, err := ident.NewRoomID(ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateRoom(t.Context(), server.NewRoom{ID: id, Kind: wire.RoomKind_ROOM_KIND_SEALED, By: by.ID}); err != nil {
		t.Fatal(err)
	}
	return id
}
