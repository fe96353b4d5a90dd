package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

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
			name: "key add", args: "NAME FINGERPRINT", least: 2, most: 2, flags: addPeerFlags, example: "key add bob FINGERPRINT",
			does: "Remember the key of a peer under a name, for --peer",
		},
		{
			name: "key forget", args: "NAME", least: 1, most: 1, flags: forgetPeerFlags, example: "key forget bob",
			does: "Forget the key of a peer",
		},
		{
			name: "key token", args: "NAME FILE", least: 2, most: 2, flags: tokenFlags, example: "key token backup tokens > backup.token",
			does: "Make a token: print it, and write its hash into a file for listen --token-file",
		},
		{name: "key list", flags: listPeersFlags, example: "key list", does: "List the peers that are remembered"},
		{
			name: "listen", args: "ADDR", least: 1, most: 1, flags: listenFlags, events: true, example: "listen :9000 --peer FINGERPRINT > backup.tar",
			does: "Wait for a peer that proves who it is, and join its socket with stdin and stdout, or with a command",
		},
		{
			name: "dial", args: "HOST:PORT", least: 1, most: 1, flags: dialFlags, events: true, example: "dial example.org:9000 --peer FINGERPRINT < backup.tar",
			does: "Connect to a peer that proves who it is, and join its socket with stdin and stdout",
		},
	}
}

// socketEvent is what happens to a socket, for scripts: on stderr, because stdout belongs to the peer.
type socketEvent struct {
	Event    string `json:"event"`
	Addr     string `json:"addr,omitempty"`
	Peer     string `json:"peer,omitempty"`
	Name     string `json:"name,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Password string `json:"password,omitempty"`
	Words    string `json:"words,omitempty"`
	Received *int64 `json:"received,omitempty"`
	Sent     *int64 `json:"sent,omitempty"`
	Hint     string `json:"hint,omitempty"`
	Status   int    `json:"status,omitempty"`
}

// tell reports an event, to a script or to a person.
func (c *call) tell(event socketEvent, format string, args ...any) {
	if !c.json {
		c.say(format, args...)
		return
	}
	writeEvent(c.err, event)
}

// writeEvent writes one as a line, in one piece.
func writeEvent(w io.Writer, event socketEvent) {
	if line, err := json.Marshal(event); err == nil {
		w.Write(append(line, '\n'))
	}
}

// reportEvent is report for scripts: the last event of a verb that fails.
func reportEvent(w io.Writer, err error) {
	if errors.Is(err, errHelpShown) {
		return
	}
	writeEvent(w, socketEvent{Event: "exit", Reason: err.Error(), Hint: hintOf(err), Status: exitCode(err)})
}

// A cutError is a stream that broke off: what came may not be all.
type cutError struct{ cause error }

func (e *cutError) Error() string {
	if e.cause == errInterrupted || e.cause == errNobodyCame {
		return e.cause.Error() // there was no stream yet
	}
	return "the stream was cut: " + whyCut(e.cause)
}

func (e *cutError) Unwrap() error { return e.cause }

// whyCut tells the ways apart in which a stream breaks off.
func whyCut(cause error) string {
	var distrusted *mtls.PeerError
	switch {
	case errors.Is(cause, mtls.ErrTruncated):
		return "the other side went away before it had said that this was all"
	case errors.Is(cause, syscall.ECONNRESET), errors.Is(cause, syscall.EPIPE):
		return "the connection was reset, by the other side or on the way"
	case errors.Is(cause, os.ErrDeadlineExceeded), errors.Is(cause, syscall.ETIMEDOUT):
		return "the other side does not answer any more"
	case errors.As(cause, &distrusted):
		return "the peer is not trusted any more: " + strings.TrimPrefix(distrusted.Error(), "mtls: ")
	}
	return cause.Error()
}

// failed tells a script why a stream has failed; a person reads it in the end.
func (c *call) failed(conn *mtls.Conn, err error) error {
	if err != nil && c.json {
		c.tell(socketEvent{Event: "failed", Peer: conn.Peer().Fingerprint.String(), Reason: err.Error()}, "")
	}
	return err
}

// refusedPeer makes an error of a handshake that one of the two sides refused.
func (c *call) refusedPeer(err error) error {
	var wrong *mtls.PeerError
	var refused *mtls.RefusedError
	var decided *client.Error
	switch {
	case errors.As(err, &decided):
		return decided
	case errors.As(err, &wrong) && wrong.Rule == mtls.RuleKey && !wrong.Got.IsZero() && c.contactOf(wrong.Expected) != "":
		return &client.Error{Code: client.Refused, Message: fmt.Sprintf("THIS IS NO DEVICE OF %s: got %s", c.contactOf(wrong.Expected), wrong.Got),
			Hint: "somebody may be in between; or the other side was started without --peer @ and your handle, and shows another key than its device's"}
	case errors.As(err, &wrong) && wrong.Rule == mtls.RuleKey && len(wrong.Expected) == 1 && !wrong.Got.IsZero() && c.nameOf(wrong.Expected[0]) != "":
		name := c.nameOf(wrong.Expected[0])
		return &client.Error{Code: client.Refused,
			Message: fmt.Sprintf("THIS IS NOT %s, OR THE KEY HAS CHANGED: expected %s, got %s", name, wrong.Expected[0], wrong.Got),
			Hint:    "somebody may be in between; ask the other side, by a way that you trust, and if its key has changed: snug key forget " + name}
	case errors.As(err, &wrong):
		return &client.Error{Code: client.Refused, Message: strings.TrimPrefix(wrong.Error(), "mtls: "),
			Hint: hintOfRule(wrong.Rule)}
	case errors.As(err, &refused) && refused.Busy:
		return &client.Error{Code: client.Refused, Message: "the other side accepts this one, and has no room for it now: too many connections at once",
			Hint: "again, when one of them has ended; `snug listen` there says how many by --streams, of one peer, and --commands, of all"}
	case errors.As(err, &refused) && strings.HasSuffix(refused.Reason, "no application protocol"):
		return &client.Error{Code: client.Refused, Message: "what listens there speaks another protocol",
			Hint: "it is no `snug listen`, or one that wants another proof: --peer, --password and --token-file have to be the same on both sides"}
	case errors.As(err, &refused):
		return &client.Error{Code: client.Refused, Message: strings.TrimPrefix(refused.Error(), "mtls: "),
			Hint: "the other side says why; it has to be started with --peer and what `snug key show` prints here, or with --ca and --name as they are in the certificate shown here"}
	}
	return nil
}
