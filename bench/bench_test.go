package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// TestMain lets the test binary be the echo server, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == echoVerb {
		exit(serveEcho())
	}
	os.Exit(m.Run())
}

// testPlan has hardly anything of everything.
var testPlan = plan{
	payload: 300, senders: []int{2}, windows: []int{1, 16},
	warmUp: 20 * time.Millisecond, measure: 500 * time.Millisecond, fanout: 500 * time.Millisecond, bound: 50 * time.Millisecond,
	fanoutFollowers: 4, fanoutWindows: []int{1, 4},
	idle: 20, catchUp: 200, catchUpDevices: 3, starts: 1, settle: 300 * time.Millisecond, idleSettle: 300 * time.Millisecond,
}

// modelBench gives a bench with registered devices at a model server.
func modelBench(t *testing.T) (*bench, *model) {
	t.Helper()
	m := newModel(t)
	b := &bench{plan: testPlan, log: io.Discard, directory: t.TempDir(), clock: clock{time.Now()}, server: &m.process}
	for i := range testPlan.devices() {
		d, err := register(t.Context(), b.server, fmt.Sprintf("bench-%04d", i))
		if err != nil {
			t.Fatal(err)
		}
		b.devices = append(b.devices, d)
	}
	if err := b.stepRooms(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return b, m
}

// TestScenarios runs what needs no process of its own against the model.
func TestScenarios(t *testing.T) {
	b, _ := modelBench(t)
	r := newReport(b.plan)
	for _, step := range []func(context.Context, *Report) error{b.stepMessages, b.stepFanout, b.stepCatchUp, b.stepIdle} {
		if err := step(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	r.compare()
	for _, m := range r.Messages {
		if m.Acked == 0 || m.Delivered == 0 || m.Ack.P50 == 0 || m.Delivery.P999 < m.Delivery.P50 {
			t.Errorf("window %d: %+v", m.Window, m)
		}
	}
	for _, f := range r.Fanout {
		if got, least := f.Deliveries, (f.Messages-uint64(f.Window))*uint64(f.Followers); f.Messages == 0 || got < least {
			t.Errorf("fan-out: %d deliveries of %d messages, want %d or more", got, f.Messages, least)
		}
	}
	if len(r.CatchUp) != 2 || r.CatchUp[1].Devices != 3 || r.CatchUp[0].EntriesPerSecond == 0 {
		t.Errorf("catch-up: %+v", r.CatchUp)
	}
	if r.Idle.Connections != 20 || r.Idle.AfterKiB == 0 {
		t.Errorf("idle: %+v", r.Idle)
	}
}

// TestBrokenPromises lets the model break one promise at a time, and wants the run to fail by its name.
func TestBrokenPromises(t *testing.T) {
	const at = 20 // the entry at which it breaks
	clone := func(e *wire.Entry) *wire.Entry {
		return &wire.Entry{
			Seq: e.Seq, Kind: e.Kind, Device: bytes.Clone(e.Device), Account: e.Account, Id: e.Id, Epoch: e.Epoch, At: e.At,
			Payload: bytes.Clone(e.Payload), Head: bytes.Clone(e.Head),
		}
	}
	once := func(at uint64, f func(e *wire.Entry) []*wire.Entry) func(*model) {
		return func(m *model) {
			m.fault = func(e *wire.Entry) []*wire.Entry {
				if e.Seq == at {
					return f(e)
				}
				return []*wire.Entry{e}
			}
		}
	}
	var held *wire.Entry
	for _, broken := range []struct {
		name  string
		apply func(*model)
		want  string
	}{
		{"dropped", once(at, func(*wire.Entry) []*wire.Entry { return nil }), "entry 21 was delivered after entry 19"},
		{"duplicated", once(at, func(e *wire.Entry) []*wire.Entry { return []*wire.Entry{e, e} }), "entry 20 was delivered after entry 20"},
		{"head", once(at, func(e *wire.Entry) []*wire.Entry {
			e = clone(e)
			e.Head[0] ^= 1
			return []*wire.Entry{e}
		}), "entry 20 carries head"},
		{"payload", once(at, func(e *wire.Entry) []*wire.Entry {
			e = clone(e)
			e.Payload[100] ^= 1
			return []*wire.Entry{e}
		}), "entry 20 carries head"},
		{"sender", once(at, func(e *wire.Entry) []*wire.Entry {
			e = clone(e)
			e.Device[0] ^= 1
			return []*wire.Entry{e}
		}), "entry 20 carries head"},
		{"swapped", func(m *model) {
			m.fault = func(e *wire.Entry) []*wire.Entry {
				switch e.Seq {
				case at:
					held = e
					return nil
				case at + 1:
					return []*wire.Entry{e, held}
				}
				return []*wire.Entry{e}
			}
		}, "entry 21 was delivered after entry 19"},
		{"acked seq", func(m *model) {
			m.lie = func(a *wire.Ack) {
				if a.Seq == at {
					a.Seq--
				}
			}
		}, "was acked as entry 19 and delivered as 20"},
		{"acked head", func(m *model) {
			m.lie = func(a *wire.Ack) {
				if a.Seq == at {
					a.Head = bytes.Repeat([]byte{7}, 32)
				}
			}
		}, "carries another head than entry 20"},
	} {
		t.Run(strings.ReplaceAll(broken.name, " ", "-"), func(t *testing.T) {
			b, m := modelBench(t)
			m.state.Lock()
			broken.apply(m)
			m.state.Unlock()
			var err error
			for err == nil && b.rooms[0].seq <= at { // until the run in which that entry comes
				_, err = b.measureMessages(b.rooms[:1], 4)
			}
			if err == nil || !strings.Contains(err.Error(), broken.want) {
				t.Fatalf("got %v, want an error with %q", err, broken.want)
			}
		})
	}
}

// TestSettle holds the last comparison of acks and deliveries to its words, where the stream itself shows nothing.
func TestSettle(t *testing.T) {
	room, head := ident.RoomID{1}, func(seq uint64) ident.Hash { return ident.Hash{byte(seq)} }
	base := func() *ledger {
		return &ledger{
			journal: &journal{room: room, sent: 3, acks: []ack{{11, head(11)}, {13, head(13)}, {12, head(12)}}},
			base:    10, heads: []ident.Hash{head(11), head(12), head(13)}, numbers: []uint64{0, 2, 1},
		}
	}
	for _, row := range []struct {
		name   string
		change func(*ledger)
		want   string
	}{
		{"all well", func(*ledger) {}, ""},
		{"no ack yet", func(l *ledger) { l.journal.acks[1] = ack{} }, ""},
		{"never delivered", func(l *ledger) { l.heads, l.numbers = l.heads[:2], l.numbers[:2] }, "message 1 was acked as entry 13 and never delivered"},
		{"appended twice", func(l *ledger) {
			l.heads, l.numbers = append(l.heads, head(14)), append(l.numbers, 2)
		}, "message 2 was delivered twice, as entry 12 and 14"},
		{"never sent", func(l *ledger) {
			l.heads, l.numbers = append(l.heads, head(14)), append(l.numbers, 9)
		}, "entry 14 is message 9, which was never sent"},
		{"another seq", func(l *ledger) { l.journal.acks[0].seq = 12 }, "message 0 was acked as entry 12 and delivered as 11"},
		{"another head", func(l *ledger) { l.journal.acks[0].head = head(9) }, "the ack of message 0 carries another head than entry 11"},
	} {
		t.Run(strings.ReplaceAll(row.name, " ", "-"), func(t *testing.T) {
			l := base()
			row.change(l)
			err := l.settle()
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.HasSuffix(err.Error(), row.want)) {
				t.Fatalf("got %v, want %q", err, row.want)
			}
		})
	}
}

// TestReport prints a report both ways.
func TestReport(t *testing.T) {
	r := newReport(wholePlan)
	r.Bounds = []Bounds{
		{Disk: DiskBound{SyncsPerSecond: 1000}, Echo: []EchoBound{{Connections: 2, Window: 1, PerSecond: 50_000}}},
		{Disk: DiskBound{SyncsPerSecond: 3000}, Echo: []EchoBound{{Connections: 2, Window: 1, PerSecond: 30_000}}},
	}
	r.Messages = []Messages{{Senders: 2, Window: 1, AckedPerSecond: 20_000, DeliveredPerSecond: 19_000}}
	r.compare()
	if m := r.Messages[0]; m.TimesEcho != 0.5 || m.PerSync != 10 {
		t.Errorf("ratios: got %v and %v, want 0.5 and 10", m.TimesEcho, m.PerSync)
	}
	if r.Unrest != 3 {
		t.Errorf("unrest: got %v, want 3", r.Unrest)
	}
	if g := r.Goals[0]; g.Got != 19_000 || !g.Met {
		t.Errorf("goal: got %+v, want 19,000 and met", g)
	}
	if len(r.Goals) != 1 {
		t.Errorf("got %d goals, want that of what was measured: %+v", len(r.Goals), r.Goals)
	}
	var table, object bytes.Buffer
	if err := r.writeTable(&table); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "20,000") {
		t.Errorf("table without the figure:\n%s", &table)
	}
	if err := r.writeJSON(&object); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(object.Bytes(), &Report{}); err != nil {
		t.Fatal(err)
	}
}
