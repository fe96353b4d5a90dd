package tunnel_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"snug/internal/tunnel"
)

// A move is a frame that a direction of a carrier sends, in a model.
type move struct {
	kind   tunnel.Kind
	number uint64
	data   []byte
}

// script makes the moves of a connecting end: streams one after another, the last one perhaps in the middle.
func script(r *rand.Rand) (moves []move, finished bool) {
	for number := uint64(1); number <= 1+r.Uint64N(4); number++ {
		moves = append(moves, move{kind: tunnel.KindOpen, number: number})
		for range r.IntN(4) {
			data := make([]byte, 1+r.IntN(300))
			if r.IntN(8) == 0 {
				data = make([]byte, tunnel.MaxData)
			}
			for i := range data {
				data[i] = byte(r.Uint32())
			}
			moves = append(moves, move{kind: tunnel.KindData, data: data})
		}
		switch r.IntN(8) {
		case 0:
			return moves, false
		case 1:
			return append(moves, move{kind: tunnel.KindReset, number: number}), false
		}
		moves = append(moves, move{kind: tunnel.KindEnd, number: number})
	}
	return moves, true
}

func encode(moves []move) (b []byte) {
	for _, m := range moves {
		switch m.kind {
		case tunnel.KindData:
			b = tunnel.AppendData(b, m.data)
		case tunnel.KindReset:
			b = tunnel.AppendControl(b, m.kind, m.number, 3)
		default:
			b = tunnel.AppendControl(b, m.kind, m.number, 0)
		}
	}
	return b
}

// decode gives what a decoder makes of pieces: a line for each stream, "1:1234abcd." where it ended properly.
func decode(d *tunnel.Decoder, pieces [][]byte) (streams []string, err error) {
	number := 0
	for _, piece := range pieces {
		for len(piece) > 0 {
			var found tunnel.Event
			if found, piece, err = d.Next(piece); err != nil {
				return streams, err
			}
			last := len(streams) - 1
			switch found.Kind() {
			case tunnel.KindOpen:
				number++
				streams = append(streams, fmt.Sprintf("%d:", number))
			case tunnel.KindData:
				streams[last] += fmt.Sprintf("%x", found.Data())
			case tunnel.KindEnd:
				streams[last] += "."
			case tunnel.KindReset:
				streams[last] += "!"
			}
		}
	}
	return streams, nil
}

// meaning is what decode has to give for moves.
func meaning(moves []move) (streams []string) {
	for _, m := range moves {
		last := len(streams) - 1
		switch m.kind {
		case tunnel.KindOpen:
			streams = append(streams, fmt.Sprintf("%d:", m.number))
		case tunnel.KindData:
			streams[last] += fmt.Sprintf("%x", m.data)
		case tunnel.KindEnd:
			streams[last] += "."
		case tunnel.KindReset:
			streams[last] += "!"
		}
	}
	return streams
}

func pieces(r *rand.Rand, b []byte) (all [][]byte) {
	for len(b) > 0 {
		n := 1 + r.IntN(min(len(b), 1+r.IntN(40_000)))
		all = append(all, b[:n])
		b = b[n:]
	}
	return all
}

// TestFramesModel: however the bytes of many streams are cut, each byte comes out in its stream, and an end, a reset and
// no end at all stay what they were.
func TestFramesModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		moves, finished := script(r)
		d := tunnel.NewDecoder(false)
		got, err := decode(d, pieces(r, encode(moves)))
		if want := meaning(moves); err != nil || !slices.Equal(got, want) {
			t.Fatalf("seed %d: got %.200q, %v; want %.200q", seed, got, err, want)
		}
		if d.Whole() != finished {
			t.Fatalf("seed %d: whole is %t, want %t", seed, d.Whole(), finished)
		}
	}
}

// TestFramesCut: a carrier that is cut anywhere shows no stream as ended that had not ended there.
func TestFramesCut(t *testing.T) {
	moves := []move{{kind: tunnel.KindOpen, number: 1}, {kind: tunnel.KindData, data: []byte("first")}, {kind: tunnel.KindEnd, number: 1},
		{kind: tunnel.KindOpen, number: 2}, {kind: tunnel.KindData, data: []byte("second")}, {kind: tunnel.KindEnd, number: 2}}
	whole := encode(moves)
	ends := []int{len(encode(moves[:3])), len(whole)}
	for at := range len(whole) {
		d := tunnel.NewDecoder(false)
		streams, err := decode(d, [][]byte{whole[:at]})
		if err != nil {
			t.Fatalf("cut at %d: %v", at, err)
		}
		ended := 0
		for _, s := range streams {
			if s[len(s)-1] == '.' {
				ended++
			}
		}
		want := 0
		for _, end := range ends {
			if at >= end {
				want++
			}
		}
		if whole := at == 0 || slices.Contains(ends, at); ended != want || d.Whole() != whole {
			t.Errorf("cut at %d: %d streams ended, whole %t; want %d, %t", at, ended, d.Whole(), want, whole)
		}
	}
}

// TestFramesOutOfPlace tries every frame in every phase that it does not belong into.
func TestFramesOutOfPlace(t *testing.T) {
	control := func(k tunnel.Kind, number uint64, why byte) []byte { return tunnel.AppendControl(nil, k, number, why) }
	open, end, accept := control(tunnel.KindOpen, 1, 0), control(tunnel.KindEnd, 1, 0), control(tunnel.KindAccept, 1, 0)
	data := tunnel.AppendData(nil, []byte("x"))
	for _, row := range []struct {
		name      string
		accepting bool
		good, bad []byte
	}{
		{"data before any stream", false, nil, data},
		{"an end before any stream", false, nil, end},
		{"a reset before any stream", false, nil, control(tunnel.KindReset, 1, 3)},
		{"the second stream first", false, nil, control(tunnel.KindOpen, 2, 0)},
		{"stream 0", false, nil, control(tunnel.KindOpen, 0, 0)},
		{"a stream within a stream", false, open, control(tunnel.KindOpen, 2, 0)},
		{"the same stream again", false, slices.Concat(open, end), open},
		{"data after the end", false, slices.Concat(open, end), data},
		{"a second end", false, slices.Concat(open, end), end},
		{"the end of another stream", false, slices.Concat(open, end, control(tunnel.KindOpen, 2, 0)), end},
		{"a reset after the end", false, slices.Concat(open, end), control(tunnel.KindReset, 1, 3)},
		{"anything after a reset", false, slices.Concat(open, control(tunnel.KindReset, 1, 3)), control(tunnel.KindOpen, 2, 0)},
		{"an answer from who asks", false, open, accept},
		{"an opening with a reason", false, nil, control(tunnel.KindOpen, 1, 1)},
		{"a reset without one", false, open, control(tunnel.KindReset, 1, 0)},
		{"a reason that there is not", false, open, control(tunnel.KindReset, 1, 99)},
		{"no data", false, open, []byte{4, 0, 0, 0}},
		{"too much data", false, open, []byte{4, 8, 0, 0}},
		{"a kind that there is not", false, open, []byte{9, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0}},
		{"kind 0", false, nil, make([]byte, 13)},
		{"a control frame of another size", false, nil, []byte{1, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1}},
		{"an opening from who answers", true, nil, control(tunnel.KindOpen, 2, 0)},
		{"data before the answer", true, nil, data},
		{"an end before the answer", true, nil, end},
		{"the answer to another stream", true, nil, control(tunnel.KindAccept, 2, 0)},
		{"two answers", true, accept, accept},
		{"a refusal after the answer", true, accept, control(tunnel.KindRefuse, 1, 1)},
		{"data after a refusal", true, control(tunnel.KindRefuse, 1, 1), data},
		{"an answer that nobody asked for", true, slices.Concat(accept, end), control(tunnel.KindAccept, 2, 0)},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := tunnel.NewDecoder(row.accepting)
			if row.accepting {
				d.Await(1)
			}
			feed := func(b []byte) (err error) {
				for len(b) > 0 && err == nil {
					_, b, err = d.Next(b)
				}
				return err
			}
			if err := feed(row.good); err != nil {
				t.Fatalf("what is right: %v", err)
			}
			if err := feed(row.bad); !errors.Is(err, tunnel.ErrFrame) {
				t.Errorf("got %v, want ErrFrame", err)
			}
			if err := feed(control(tunnel.KindOpen, 1, 0)); !errors.Is(err, tunnel.ErrFrame) {
				t.Errorf("after an error: got %v, want ErrFrame for ever", err)
			}
		})
	}
}

// FuzzFrames: whatever comes, the decoder does not panic, gives the same in one piece as in many, and nothing of a frame
// that it refuses.
func FuzzFrames(f *testing.F) {
	for seed := range uint64(8) {
		moves, _ := script(rand.New(rand.NewPCG(seed, 1)))
		f.Add(encode(moves[:min(len(moves), 5)]), false)
	}
	f.Add(tunnel.AppendControl(nil, tunnel.KindAccept, 1, 0), true)
	f.Fuzz(func(t *testing.T, b []byte, accepting bool) {
		run := func(step int) (log []byte, failed bool) {
			d := tunnel.NewDecoder(accepting)
			d.Await(1)
			if !accepting {
				d = tunnel.NewDecoder(false)
			}
			for rest := range slices.Chunk(b, step) {
				for len(rest) > 0 {
					found, left, err := d.Next(rest)
					if err != nil {
						return log, true
					}
					if found.Kind() == tunnel.KindData {
						log = append(log, found.Data()...)
					} else if found.Kind() != 0 {
						log = append(log, "<"+string(rune('0'+found.Kind()))+">"...)
					}
					rest = left
				}
			}
			return log, false
		}
		whole, failed := run(max(len(b), 1))
		single, failedSingle := run(1)
		if !bytes.Equal(whole, single) || failed != failedSingle {
			t.Errorf("in one piece %q, %t; byte by byte %q, %t", whole, failed, single, failedSingle)
		}
	})
}
