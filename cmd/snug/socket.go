package main

import (
	"encoding/json"
	"errors"
	"flag"
	"strings"

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
			does: "Wait for a peer that is known by its key, and join its socket with stdin and stdout, or with a command",
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
