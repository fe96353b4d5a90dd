package client

import (
	"fmt"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Every sealed message carries how far its sender's device had come in the room's log, with the head there: a server that
// shows two members different histories, each of which adds up, is found out by the first message between them.

// keptHeads is how many of a room's last heads are kept for that. A sender is seldom further behind than a round trip.
const keptHeads = 256

// differing is what a device has said that does not agree with the log as it is known here.
type differing struct {
	device ident.DeviceID
	handle string
	seq    uint64
}

const headVersion = 1

// keepHead keeps the head that the room has come to.
func (c *Core) keepHead(r *room) {
	if r.kind != Sealed {
		return
	}
	c.put(keyHead(r.id, r.seq), encodeHead(r.head))
	if r.seq > keptHeads {
		c.delete(keyHead(r.id, r.seq-keptHeads))
	}
}

// headAt gives a head that is kept.
func (c *Core) headAt(r *room, seq uint64) (head ident.Hash, kept bool) {
	if seq == r.seq {
		return r.head, true
	}
	b := c.get(keyHead(r.id, seq))
	if b == nil {
		return ident.Hash{}, false
	}
	head, err := decodeHead(b)
	return head, err == nil
}

func encodeHead(head ident.Hash) []byte {
	e := newEncoder(headVersion)
	e.bytes(head[:])
	return e.b
}

func decodeHead(b []byte) (ident.Hash, error) {
	d := newDecoder(b, headVersion)
	head := d.hash()
	return head, d.end()
}

// compare holds what the sender of a message had seen against what this device has. The room goes on whatever comes of it:
// a member could say anything here. People are told, until that device says what agrees.
func (c *Core) compare(r *room, m *Message, content *wire.Content) {
	if len(content.SeenHead) == 0 {
		return // of a client of before there was this
	}
	head, kept := c.headAt(r, content.SeenSeq)
	switch {
	case content.SeenSeq < m.Seq && !kept:
	case content.SeenSeq < m.Seq && string(head[:]) == string(content.SeenHead):
		if c.vol.differing[r.id].device == m.Device {
			delete(c.vol.differing, r.id)
		}
	default:
		c.vol.differing[r.id] = differing{m.Device, c.handle(m.Account), content.SeenSeq}
		c.cfg.log.Warn("a member has another history of the room", "room", r.id, "device", m.Device, "seq", content.SeenSeq)
	}
}

func (d differing) String() string {
	return fmt.Sprintf("the server shows @%s another history of this room, up to message %d, or their device says so falsely", d.handle, d.seq)
}

func (d differing) remedy() string {
	return "compare what you see with @" + d.handle + " by another way: the server leaves out, repeats or moves messages for one of you"
}
