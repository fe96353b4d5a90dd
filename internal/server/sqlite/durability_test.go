package sqlite_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"snug/internal/ident"
	"snug/internal/server"
	"snug/internal/server/sqlite"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// burstDir names the directory in which the child of TestKill writes.
const burstDir = "SNUG_TEST_BURST"

const burstSenders = 8

// TestBurst is that child: it writes until it is killed, and prints an entry's seq
// only after it was acked.
func TestBurst(t *testing.T) {
	dir := os.Getenv(burstDir)
	if dir == "" {
		t.Skip("only for TestKill")
	}
	s := openStore(t, dir)
	var mu sync.Mutex
	out := bufio.NewWriter(os.Stdout)
	for i := range burstSenders {
		d := newAccount(t, s, fmt.Sprintf("sender%d", i))
		room := newRoom(t, s, d)
		mu.Lock()
		fmt.Fprintf(out, "room %s %s\n", room, d.ID)
		out.Flush()
		mu.Unlock()
		go func() {
			slots := make(chan struct{}, 16)
			for {
				slots <- struct{}{}
				id, _ := ident.NewMessageID(ident.Random())
				payload := make([]byte, 300)
				s.Submit(&server.Submission{
					Room: room, Device: d.ID, ID: id, Kind: wire.EntryKind_ENTRY_KIND_SEALED, Payload: payload, PayloadHash: ident.PayloadHash(payload),
					Done: func(s *server.Submission) {
						mu.Lock()
						fmt.Fprintf(out, "ack %s %d %s\n", room, s.Seq, s.Head)
						out.Flush()
						mu.Unlock()
						<-slots
					},
				})
			}
		}()
	}
	select {}
}

// TestKill kills a process in the middle of a burst, several times: everything
// that it has acked is there, gapless and with the heads that it told.
func TestKill(t *testing.T) {
	for _, acks := range []int{1, 500, 3000} {
		t.Run(fmt.Sprint(acks), func(t *testing.T) {
			dir := t.TempDir()
			rooms, heads := killAfter(t, dir, acks)
			s := openStore(t, dir)
			defer s.Close()
			for room, device := range rooms {
				entries := fetchAll(t, s, room, device)
				testkit.CheckLog(t, room, entries)
				for seq, head := range heads[room] {
					if seq > len(entries) || ident.Hash(entries[seq-1].Head).String() != head {
						t.Fatalf("entry %d of %d was acked with head %s, and is lost or another", seq, len(entries), head)
					}
				}
			}
		})
	}
}

func killAfter(t *testing.T, dir string, acks int) (map[ident.RoomID]ident.DeviceID, map[ident.RoomID]map[int]string) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestBurst$")
	child.Env = append(os.Environ(), burstDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	rooms, heads := map[ident.RoomID]ident.DeviceID{}, map[ident.RoomID]map[int]string{}
	seen := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 {
			continue
		}
		room, err := ident.ParseRoomID(fields[1])
		if err != nil {
			continue
		}
		switch {
		case fields[0] == "room" && len(fields) == 3:
			if rooms[room], err = ident.ParseDeviceID(fields[2]); err != nil {
				t.Fatal(err)
			}
			heads[room] = map[int]string{}
		case fields[0] == "ack" && len(fields) == 4 && len(fields[3]) == 64: // and not cut by the kill
			seq, err := strconv.Atoi(fields[2])
			if err != nil {
				t.Fatal(err)
			}
			heads[room][seq] = fields[3]
			if seen++; seen == acks {
				_ = child.Process.Kill()
			}
		}
	}
	_ = child.Process.Kill()
	_ = child.Wait()
	if seen < acks {
		t.Fatalf("the child acked %d, want %d", seen, acks)
	}
	return rooms, heads
}

func fetchAll(t *testing.T, s server.Store, room ident.RoomID, device ident.DeviceID) (list []*wire.Entry) {
	t.Helper()
	_, err := s.Fetch(t.Context(), server.Fetch{Room: room, Device: device, Limit: 1 << 30}, func(e *wire.Entry) bool {
		list = append(list, e)
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestCopies opens copies of the files taken after each ack, as a crash at that
// moment would leave them: the acked entry is in every one.
func TestCopies(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	defer s.Close()
	d := newAccount(t, s, "alice")
	room := newRoom(t, s, d)
	for n := 1; n <= 12; n++ {
		if err := submit(t, s, room, d, make([]byte, 1000*n)); err != nil {
			t.Fatal(err)
		}
		crashed := t.TempDir()
		copyFiles(t, dir, crashed)
		if n%3 == 0 {
			// And with a torn end, as of a commit that was under way.
			tear(t, filepath.Join(crashed, "snug.db-wal"))
		}
		after := openStore(t, crashed)
		entries := fetchAll(t, after, room, d.ID)
		testkit.CheckLog(t, room, entries)
		if len(entries) != n {
			t.Errorf("after a crash %d entries are there, want %d", len(entries), n)
		}
		if err := after.Close(); err != nil {
			t.Error(err)
		}
	}
}

func submit(t testing.TB, s server.Store, room ident.RoomID, d server.Device, payload []byte) error {
	t.Helper()
	id, err := ident.NewMessageID(ident.Random())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	s.Submit(&server.Submission{
		Room: room, Device: d.ID, Account: d.Account, ID: id, Kind: wire.EntryKind_ENTRY_KIND_SEALED, Payload: payload,
		PayloadHash: ident.PayloadHash(payload), Done: func(s *server.Submission) { done <- s.Err },
	})
	return <-done
}

func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	for _, name := range []string{"snug.db", "snug.db-wal"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func tear(t *testing.T, wal string) {
	t.Helper()
	f, err := os.OpenFile(wal, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, strings.Repeat("half a frame", 100)); err != nil {
		t.Fatal(err)
	}
}

// TestFullDatabase fills a small database: what does not fit is refused with
// STORAGE_FULL, nothing acked is lost, and the store lives.
func TestFullDatabase(t *testing.T) {
	dir := t.TempDir()
	s, err := sqlite.Open(dir, sqlite.Config{Rand: ident.Random(), MaxPages: 100})
	if err != nil {
		t.Fatal(err)
	}
	d := newAccount(t, s, "alice")
	room := newRoom(t, s, d)
	acked, refused := 0, 0
	for range 200 {
		switch err := submit(t, s, room, d, make([]byte, 5000)); {
		case err == nil:
			acked++
		case errors.Is(err, server.ErrStorageFull):
			refused++
		default:
			t.Fatal(err)
		}
	}
	if acked == 0 || refused == 0 || s.Err() != nil {
		t.Fatalf("%d acked, %d refused, %v", acked, refused, s.Err())
	}
	_, err = s.CreateAccount(t.Context(), bigAccount(t))
	if !errors.Is(err, server.ErrStorageFull) {
		t.Errorf("an account on a full disk: %v", err)
	}
	if n := len(fetchAll(t, s, room, d.ID)); n != acked {
		t.Errorf("%d entries are there, want the %d acked", n, acked)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openStore(t, dir) // with room on the disk
	defer again.Close()
	if err := submit(t, again, room, d, make([]byte, 5000)); err != nil {
		t.Error(err)
	}
	testkit.CheckLog(t, room, fetchAll(t, again, room, d.ID))
}

func bigAccount(t *testing.T) server.NewAccount {
	n := testkit.NewAccount(t, "bob")
	n.Vault = make([]byte, 1<<20)
	return n
}
