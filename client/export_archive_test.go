package client

import (
	"context"

	"snug/internal/ident"
)

func (s *Stepper) ReadHistory(call uint64, room ident.RoomID, limit int) StepFunc {
	return s.verb(call, func(c *Core) { c.archivedHistory(call, room, HistoryOptions{Limit: limit}) })
}

// Archived gives what the newest head that the device has seen says of a room: how many chunks there are, and what they
// cover.
func (c *Client) Archived(room ident.RoomID) (chunks int, covered [][2]uint64) {
	call[struct{}](context.Background(), c, func(c *Core, call uint64) {
		listed := c.archiveHead().room(room)
		chunks = int(listed.chunks)
		for _, part := range listed.covered {
			covered = append(covered, [2]uint64{part.first, part.last})
		}
		c.reply(call, struct{}{}, nil)
	})
	return chunks, covered
}

// RecodeChunk decodes the contents of a chunk and encodes them again.
func RecodeChunk(first, last uint64, b []byte) ([]byte, error) {
	messages, err := decodeChunk(ident.RoomID{}, span{first, last}, b)
	if err != nil {
		return nil, err
	}
	builder := newChunkBuilder()
	for i := range messages {
		if !builder.add(&messages[i]) {
			panic("what was in a chunk does not fit one")
		}
	}
	return builder.contents(), nil
}

// BuildChunk encodes messages, as many as fit.
func BuildChunk(messages []Message) (contents []byte, n int) {
	builder := newChunkBuilder()
	for n < len(messages) && builder.add(&messages[n]) {
		n++
	}
	return builder.contents(), n
}

// RecodeArchiveHead decodes the contents of a head and encodes them again.
func RecodeArchiveHead(revision uint64, b []byte) ([]byte, error) {
	head, err := decodeArchiveHead(revision, b)
	if err != nil {
		return nil, err
	}
	return head.encode(), nil
}

// Spans adds and takes away parts of a log, each first to last, and gives every seq that is left.
func Spans(add, take [][2]uint64) (left []uint64) {
	var s, others spans
	for _, part := range add {
		s = s.add(span{part[0], part[1]})
	}
	for _, part := range take {
		others = others.add(span{part[0], part[1]})
	}
	e := &encoder{}
	s.minus(others).encode(e)
	d := &decoder{b: e.b}
	decoded := decodeSpans(d, 100)
	if d.end() != nil {
		panic("spans do not survive their encoding")
	}
	for _, part := range decoded {
		for seq := part.first; seq <= part.last; seq++ {
			left = append(left, seq)
		}
	}
	return left
}
