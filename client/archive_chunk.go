package client

import (
	"time"
	"unicode/utf8"

	"snug/internal/ident"
	"snug/internal/wire"
)

const archiveChunkVersion = 1

// maxArchivedAt is the end of the year 9999, in milliseconds since 1970: later times cannot be shown.
const maxArchivedAt = 253_402_300_799_999

// archivedKinds are the numbers of kinds in a chunk.
var archivedKinds = []MessageKind{Text, Notice, Gap}

// chunkBuilder collects the messages of a chunk.
type chunkBuilder struct {
	e     *encoder // without version and count
	count int
}

func newChunkBuilder() *chunkBuilder { return &chunkBuilder{e: &encoder{}} }

// add takes one more message, in ascending order of seq; false: it does not fit.
func (b *chunkBuilder) add(m *Message) bool {
	const before = 1 + 3 // version, and a count of two bytes at most with one to spare
	size := len(b.e.b)
	kind, text := uint64(0), m.Text
	switch m.Kind {
	case Notice:
		kind = 1
	case Gap:
		kind, text = 2, m.Gap
	}
	b.e.uint(m.Seq)
	b.e.uint(kind)
	b.e.bytes(m.ID[:])
	b.e.bytes(m.Account[:])
	b.e.bytes(m.Device[:])
	b.e.time(m.At)
	b.e.string(cut(text, wire.MaxText))
	if before+len(b.e.b) > ident.MaxChunkContents || b.count == maxChunkMessages {
		b.e.b = b.e.b[:size]
		return false
	}
	b.count++
	return true
}

// cut gives at most n bytes of a text, whole characters.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

func (b *chunkBuilder) contents() []byte {
	e := newEncoder(archiveChunkVersion)
	e.uint(uint64(b.count))
	return append(e.b, b.e.b...)
}

// decodeChunk reads the messages of a chunk, which lie within what it covers, each seq once. Whoever has the vault key can
// have written it, a device that was revoked since too: it is read like anything that comes over the network.
func decodeChunk(room ident.RoomID, covers span, b []byte) ([]Message, error) {
	d := newDecoder(b, archiveChunkVersion)
	n := d.uint()
	if n > maxChunkMessages {
		return nil, errRecord
	}
	messages := make([]Message, 0, n)
	next := covers.first
	for ; n > 0 && d.err == nil; n-- {
		m := Message{Room: room, Seq: d.uint(), State: Delivered}
		kind := d.uint()
		m.ID, m.Account, m.Device = d.id(), d.id(), d.id()
		at := d.uint()
		text := d.string()
		if d.err != nil || kind >= uint64(len(archivedKinds)) || at > maxArchivedAt || m.Seq < next || m.Seq > covers.last || CheckText(text) != nil {
			return nil, errRecord
		}
		if m.At, m.Kind, m.Text, next = (time.Time{}), archivedKinds[kind], text, m.Seq+1; at > 0 {
			m.At = time.UnixMilli(int64(at)).UTC()
		}
		if m.Kind == Gap {
			m.Text, m.Gap = "", text
		}
		messages = append(messages, m)
	}
	return messages, d.end()
}
