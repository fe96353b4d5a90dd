package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"snug/internal/wire"
)

// socket is the client's side of a WebSocket, as lean as the generator needs it: several messages leave in one write,
// and messages are read as views of one buffer. Its mask key is zero, which RFC 6455 forbids to browsers' peers for a
// reason that has no meaning here; the server unmasks all the same. Owned by one goroutine.
type socket struct {
	conn net.Conn
	// in[begin:end] is read and not yet handed out.
	in         []byte
	begin, end int
	lastID     uint64
}

const (
	// readBuffer holds a TLS record or two; it grows for a larger message.
	readBuffer = 18 << 10
	// idleBuffer is for connections that say nothing.
	idleBuffer = 2 << 10
	// stepTimeout bounds every handshake and request outside of the measured loops.
	stepTimeout = 30 * time.Second
)

// The bytes of RFC 6455, Section 5.2 that this protocol meets.
const (
	finalBinary = 0x82
	finalClose  = 0x88
	finalPing   = 0x89
	finalPong   = 0x8a
	masked      = 0x80
)

// upgrade makes a socket of a connection by the handshake of RFC 6455, Section 4. It takes the connection.
func upgrade(conn net.Conn, host string, buffer int) (*socket, error) {
	s := &socket{conn: conn, in: make([]byte, buffer)}
	if err := s.upgrade(host); err != nil {
		conn.Close()
		return nil, fmt.Errorf("opening a WebSocket: %w", err)
	}
	return s, nil
}

func (s *socket) upgrade(host string) error {
	if err := s.conn.SetDeadline(time.Now().Add(stepTimeout)); err != nil {
		return err
	}
	request := "GET " + wire.Path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n"
	if _, err := io.WriteString(s.conn, request); err != nil {
		return err
	}
	// The server says nothing before our Hello, so what the reader holds ends with the answer's header.
	reader := bufio.NewReaderSize(s.conn, 1<<10)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols || reader.Buffered() != 0 {
		return fmt.Errorf("answered %q", response.Status)
	}
	return s.conn.SetDeadline(time.Time{})
}

// appendMessage appends one binary message to what will be written.
func appendMessage(b, message []byte) []byte {
	b = append(b, finalBinary)
	switch n := len(message); {
	case n < 126:
		b = append(b, masked|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, masked|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, masked|127), uint64(n))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, message...)
}

// write sends messages that appendMessage has put together.
func (s *socket) write(messages []byte) error {
	_, err := s.conn.Write(messages)
	return err
}

// next gives the next binary message, valid until the following call. It answers pings on the way.
func (s *socket) next() ([]byte, error) {
	for {
		kind, message, err := s.frame()
		if err != nil {
			return nil, err
		}
		switch kind {
		case finalBinary:
			return message, nil
		case finalPing:
			if err := s.pong(message); err != nil {
				return nil, err
			}
		case finalPong:
		case finalClose:
			return nil, fmt.Errorf("bench: the server closed the connection: %s", closeReason(message))
		default:
			return nil, fmt.Errorf("bench: unexpected WebSocket frame %#x", kind)
		}
	}
}

// ready reports whether next has a message without waiting for the network.
func (s *socket) ready() bool {
	header, length := frameLength(s.in[s.begin:s.end])
	return header > 0 && s.end-s.begin >= header+length
}

// frame reads one frame, whatever it is.
func (s *socket) frame() (kind byte, message []byte, err error) {
	for {
		rest := s.in[s.begin:s.end]
		header, length := frameLength(rest)
		if header > 0 && length > wire.MaxFrame {
			return 0, nil, errors.New("bench: the server sent a message over the limit")
		}
		if whole := header + length; header > 0 && len(rest) >= whole {
			s.begin += whole
			return rest[0], rest[header:whole], nil
		}
		if err := s.fill(header + length); err != nil {
			return 0, nil, err
		}
	}
}

// fill reads more, after making room for a frame of the given size where that is known.
func (s *socket) fill(size int) error {
	if s.begin == s.end {
		s.begin, s.end = 0, 0
	}
	if s.end == len(s.in) || s.begin+size > len(s.in) {
		to := s.in
		if size > len(s.in) {
			to = make([]byte, size+size/2)
		}
		s.end = copy(to, s.in[s.begin:s.end])
		s.begin, s.in = 0, to
	}
	n, err := s.conn.Read(s.in[s.end:])
	s.end += n
	if n > 0 {
		return nil
	}
	return err
}

// frameLength reads the header of an unmasked frame: its size, 0 where it is not whole, and the length of what follows.
func frameLength(b []byte) (header, length int) {
	if len(b) < 2 {
		return 0, 0
	}
	switch n := int(b[1]); {
	case n < 126:
		return 2, n
	case n == 126 && len(b) >= 4:
		return 4, int(binary.BigEndian.Uint16(b[2:]))
	case n == 127 && len(b) >= 10:
		// Cut so that it stays positive; the limit refuses it.
		return 10, int(min(binary.BigEndian.Uint64(b[2:]), 1<<31))
	case n > 127:
		// Masked: only clients mask. An impossible length makes the caller refuse it.
		return 2, wire.MaxFrame + 1
	}
	return 0, 0
}

func (s *socket) pong(message []byte) error {
	b := []byte{finalPong, masked | byte(len(message)), 0, 0, 0, 0}
	return s.write(append(b, message...))
}

func closeReason(message []byte) string {
	if len(message) < 2 {
		return "no reason"
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", binary.BigEndian.Uint16(message), message[2:]))
}

// request sends one request and waits for its answer. Events on the way are left out, save entries: who follows rooms
// reads with next.
func (s *socket) request(frame *wire.ClientFrame) (*wire.ServerFrame, error) {
	s.lastID++
	frame.Id = s.lastID
	b, err := frame.MarshalVT()
	if err != nil {
		return nil, err
	}
	if err := s.conn.SetDeadline(time.Now().Add(stepTimeout)); err != nil {
		return nil, err
	}
	if err := s.write(appendMessage(nil, b)); err != nil {
		return nil, err
	}
	for {
		message, err := s.next()
		if err != nil {
			return nil, err
		}
		a, err := readAnswer(message)
		if err != nil {
			return nil, err
		}
		if a.id == frame.Id {
			var reply wire.ServerFrame
			if err := reply.UnmarshalVT(message); err != nil {
				return nil, err
			}
			return &reply, s.conn.SetDeadline(time.Time{})
		}
		if a.id != 0 || a.body == fieldFrameEntries {
			return nil, fmt.Errorf("bench: an answer to %d came instead of one to %d", a.id, frame.Id)
		}
	}
}

func (s *socket) close() { s.conn.Close() }
