package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"snug/client"
	"snug/mtls"
)

func socketVerbs() []*verb {
	return []*verb{
		{
			name: "key show", flags: keyFlags, example: "key show",
			does: "Print the fingerprint of this home's sockets, for --peer on the other side",
		},
		{
			name: "listen", args: "ADDR", least: 1, most: 1, flags: listenFlags, example: "listen :9000 --peer FINGERPRINT > backup.tar",
			does: "Wait for one peer that is known by its key, and join its socket with stdin and stdout",
		},
		{
			name: "dial", args: "HOST:PORT", least: 1, most: 1, flags: dialFlags, example: "dial example.org:9000 --peer FINGERPRINT < backup.tar",
			does: "Connect to a peer that is known by its key, and join its socket with stdin and stdout",
		},
	}
}

// peers is the flag --peer, given once or several times.
type peers []mtls.Fingerprint

func (p *peers) String() string { return "" }

// Set reads one fingerprint.
func (p *peers) Set(text string) error {
	pin, err := mtls.ParseFingerprint(text)
	if err != nil {
		return errors.New("a peer is the fingerprint that `snug key show` prints on the other side: 52 of a-z and 2-7")
	}
	*p = append(*p, pin)
	return nil
}

// addPeers adds --peer. There is no flag to accept just anybody.
func addPeers(set *flag.FlagSet) *peers {
	p := new(peers)
	set.Var(p, "peer", "accept the peer with this `FINGERPRINT`, and no other; may be given several times")
	return p
}

// trust is what the flags come to.
func (p *peers) trust(c *call) (mtls.Trust, error) {
	if len(*p) == 0 {
		return mtls.Trust{}, usageErrorf("snug "+c.verb.example, "%s: who may it be? --peer takes what `snug key show` prints on the other side", c.verb.name)
	}
	return mtls.Pin(*p...), nil
}

// socketEvent is what happens to a socket, for scripts: on stderr, because stdout belongs to the peer.
type socketEvent struct {
	Event    string `json:"event"`
	Addr     string `json:"addr,omitempty"`
	Peer     string `json:"peer,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Received *int64 `json:"received,omitempty"`
	Sent     *int64 `json:"sent,omitempty"`
}

// tell reports an event, to a script or to a person.
func (c *call) tell(event socketEvent, format string, args ...any) {
	if !c.json {
		c.say(format, args...)
		return
	}
	if line, err := json.Marshal(event); err == nil {
		c.err.Write(append(line, '\n'))
	}
}

// A cutError is a stream that broke off: what came may not be all.
type cutError struct{ cause error }

func (e *cutError) Error() string { return "the stream was cut: " + e.cause.Error() }
func (e *cutError) Unwrap() error { return e.cause }

// join carries bytes both ways until both sides have said that they are done. Whatever else ends it, the far side sees
// a stream that was cut, never one that ended: the connection is closed under TLS, without its farewell.
func (c *call) join(ctx context.Context, conn *mtls.Conn) error {
	interrupted := context.AfterFunc(ctx, func() { conn.NetConn().Close() })
	defer interrupted()
	var received, sent atomic.Int64
	up, down := make(chan error, 1), make(chan error, 1)
	// On a terminal nobody says that they are done before the other side is: it ends with that side.
	person := isTerminal(c.in)
	if person && !isTerminal(c.out) {
		up <- conn.CloseWrite() // receiving only
	} else {
		go func() { up <- c.send(conn, &sent) }()
	}
	go func() { down <- receive(c.out, conn, &received) }()

	err := c.settle(conn, up, down, person)
	if err != nil {
		conn.NetConn().Close()
	} else {
		conn.Close()
	}
	if ctx.Err() != nil {
		return &cutError{errors.New("interrupted")}
	}
	if err == nil {
		in, out := received.Load(), sent.Load()
		c.tell(socketEvent{Event: "ended", Received: &in, Sent: &out}, "ended: %d bytes received, %d sent", in, out)
	}
	return err
}

// settle waits for both directions, or for the first that fails.
func (c *call) settle(conn *mtls.Conn, up, down <-chan error, person bool) error {
	for range 2 {
		select {
		case err := <-up:
			if err != nil {
				return err
			}
			up = nil
		case err := <-down:
			if err != nil {
				return err
			}
			down = nil
			if person && up != nil {
				return conn.CloseWrite()
			}
		}
	}
	return nil
}

// send carries stdin to the peer and tells it when that has ended.
func (c *call) send(conn *mtls.Conn, sent *atomic.Int64) error {
	reading, writing := carry(conn, c.in, sent)
	switch {
	case writing != nil:
		return &cutError{writing}
	case reading != nil:
		return fmt.Errorf("reading stdin: %w", reading)
	}
	if err := conn.CloseWrite(); err != nil {
		return &cutError{err}
	}
	return nil
}

// receive carries what the peer sends to stdout, until it says that this is all.
func receive(out io.Writer, conn *mtls.Conn, received *atomic.Int64) error {
	reading, writing := carry(out, conn, received)
	switch {
	case writing != nil:
		return fmt.Errorf("writing stdout: %w", writing)
	case reading != nil:
		return &cutError{reading}
	}
	return nil
}

// carry copies until the end of from, counts, and tells which of the two failed, which is not told by the kind of error.
func carry(to io.Writer, from io.Reader, n *atomic.Int64) (reading, writing error) {
	buffer := make([]byte, 64<<10)
	for {
		got, err := from.Read(buffer)
		if got > 0 {
			if _, writing = to.Write(buffer[:got]); writing != nil {
				return nil, writing
			}
			n.Add(int64(got))
		}
		if err == io.EOF {
			return nil, nil
		}
		if err != nil {
			return err, nil
		}
	}
}

// refusedPeer makes an error of a handshake that one of the two sides refused.
func refusedPeer(err error) error {
	var wrong *mtls.PeerError
	var refused *mtls.RefusedError
	switch {
	case errors.As(err, &wrong):
		return &client.Error{Code: client.Refused, Message: strings.TrimPrefix(wrong.Error(), "mtls: "),
			Hint: "if that is the right peer, give --peer what `snug key show` prints there now"}
	case errors.As(err, &refused) && strings.HasSuffix(refused.Reason, "no application protocol"):
		return &client.Error{Code: client.Refused, Message: "what listens there speaks another protocol",
			Hint: "it is no `snug listen`: a messenger's server, perhaps, which has another port"}
	case errors.As(err, &refused):
		return &client.Error{Code: client.Refused, Message: strings.TrimPrefix(refused.Error(), "mtls: "),
			Hint: "the other side has to be started with --peer and what `snug key show` prints here"}
	}
	return nil
}
