package mtls

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrMessageSize refuses a message that is longer than the limit, on the side that
// meets it first. A reader's stream is of no use after it.
var ErrMessageSize = errors.New("mtls: message longer than the limit")

// messageHeader is the length of a message in front of it: four bytes, the most
// significant first.
const messageHeader = 4

// Messages are a Conn's stream cut into messages: what one WriteMessage was given,
// one ReadMessage gives, empty ones too. Both sides have to agree on using it.
// ReadMessage and WriteMessage may be called at the same time, and WriteMessage
// from any goroutine.
type Messages struct {
	conn  *Conn
	limit int

	writing struct {
		sync.Mutex
		buffer []byte
		failed error
	}
}

// NewMessages reads and writes messages of up to limit bytes on conn, which from
// then on must not be read or written otherwise. Deadlines and endings are those
// of conn.
func NewMessages(conn *Conn, limit int) *Messages { return &Messages{conn: conn, limit: limit} }

// ReadMessage gives the next message. io.EOF says that the peer has ended its
// direction after the last one; ErrTruncated also where it ended in the middle of
// one. The length is the peer's word, so memory is taken as bytes come, not before.
func (m *Messages) ReadMessage() ([]byte, error) {
	var header [messageHeader]byte
	if _, err := io.ReadFull(m.conn, header[:]); err != nil {
		return nil, inMessage(err)
	}
	n := int64(binary.BigEndian.Uint32(header[:]))
	if n > int64(m.limit) {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMessageSize, n, m.limit)
	}
	message, err := io.ReadAll(io.LimitReader(m.conn, n))
	if err == nil && int64(len(message)) < n {
		err = ErrTruncated
	}
	if err != nil {
		return nil, err
	}
	return message, nil
}

// inMessage calls an end inside of a header what it is.
func inMessage(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return err
}

// WriteMessage sends one message. After an error other than ErrMessageSize a part
// of it may have been sent, so the next one fails likewise.
func (m *Messages) WriteMessage(message []byte) error {
	if len(message) > m.limit || uint64(len(message)) > 1<<32-1 {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrMessageSize, len(message), m.limit)
	}
	w := &m.writing
	w.Lock()
	defer w.Unlock()
	if w.failed != nil {
		return w.failed
	}
	// One write, so that a short message is one record.
	w.buffer = binary.BigEndian.AppendUint32(w.buffer[:0], uint32(len(message)))
	w.buffer = append(w.buffer, message...)
	_, w.failed = m.conn.Write(w.buffer)
	if cap(w.buffer) > maxKept {
		w.buffer = nil
	}
	return w.failed
}
