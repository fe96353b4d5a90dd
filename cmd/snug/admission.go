package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"strings"
	"sync"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/mtls"
)

// The protocols (ALPN) of sockets on which the dialer proves itself to a listener that does not know its key. Who knows
// each other's keys, or asks a person, speaks mtls.Protocol.
const (
	passwordProtocol = "snug-password/1"
	tokenProtocol    = "snug-token/1"
)

// askPatience is how long a person may take to compare two keys: time for a telephone call.
const askPatience = 5 * time.Minute

// socketFlags are the flags of listen and dial that say whom to accept, and as whom.
type socketFlags struct {
	peers *peers
	certs *certified
	// password is one for once: made and printed by who listens, asked for of who dials.
	password     bool
	passwordFile string
	tokenFile    string
	// remember is the name for a peer that proves itself by a password, or is accepted by a person.
	remember string
	// words asks for the words of the connection, for two people to compare.
	words bool
}

func addSocketFlags(set *flag.FlagSet, listens bool) *socketFlags {
	f := &socketFlags{peers: addPeers(set), certs: addCertified(set, listens)}
	set.StringVar(&f.remember, "remember", "", "remember the peer under this `NAME`, for --peer the next time; with --password, or where you are asked")
	set.BoolVar(&f.words, "words", false, "print six words that both sides have in common, and nobody in between, to compare aloud")
	if listens {
		set.BoolVar(&f.password, "password", false, "accept who knows the password that is made and printed: one peer, and three tries")
		set.StringVar(&f.tokenFile, "token-file", "", "accept who shows a token whose hash is in `FILE`, where snug key token has written it")
		return f
	}
	set.BoolVar(&f.password, "password", false, "accept the peer that knows the password, which is asked for, or found in SNUG_PASSWORD")
	set.StringVar(&f.passwordFile, "password-file", "", "as --password, and the password is the first line of `FILE`")
	set.StringVar(&f.tokenFile, "token-file", "", "show the peer the token in `FILE`; with --peer")
	return f
}

// check refuses what does not go together.
func (f *socketFlags) check(c *call, listens bool) error {
	try := "snug " + c.verb.name + " " + c.args[0]
	known := len(*f.peers) > 0 || f.certs.used()
	switch {
	case f.password && (known || f.tokenFile != ""):
		return usageErrorf(try+" --password", "--password is for peers that nothing else proves: --peer, --ca and --token-file do not go with it")
	case f.tokenFile != "" && listens && known:
		return usageErrorf(try+" --token-file FILE", "%s: --token-file is for peers whose keys are not known: --peer and --ca do not go with it", c.verb.name)
	case f.tokenFile != "" && !listens && (len(*f.peers) == 0 || f.certs.used()):
		return usageErrorf(try+" --peer FINGERPRINT --token-file FILE", "a token is shown to a peer that is known by its key, and to nobody else: --peer")
	case f.certs.certificate != "" && len(f.peers.contacts()) > 0:
		return usageErrorf(try+" --peer "+f.peers.contacts()[0], "--cert does not go with a contact, who knows this home by its device's key")
	case f.remember != "" && (known || f.tokenFile != ""):
		return usageErrorf("snug key add NAME FINGERPRINT", "--remember is for peers that are not known yet: with --password, or where you are asked")
	case f.remember != "" && !peerName.MatchString(f.remember):
		return usageErrorf(try+" --password --remember bob", "%q is no name for a peer: at most 32 of a-z, 0-9, dot, dash and underscore", f.remember)
	}
	return nil
}

// An admission is how the two sides of a socket come to accept each other.
type admission struct {
	live     *mtls.Live // or identity and decide
	identity *mtls.Identity
	decide   mtls.Decide
	protocol string
	// patience is how long deciding may take; zero is as long as the other side's machine needs.
	patience time.Duration
	words    bool
	// end must be called in the end.
	end func()
	// announce, where set, is called when the listener is there.
	announce func()
	// refused, where set, hears of refusals.
	refused func(remote net.Addr, err error)

	// names are what peers are called, where the proof says it, by their arrivals.
	names sync.Map
	// expected are the names of which a certified peer has one.
	expected []mtls.Name
}

// An arrival is a connection to us before it has a name. Its address alone does not say which it is: one may come to two
// addresses of ours.
type arrival struct {
	remote string
	peer   mtls.Fingerprint
}

// forget forgets what the peer at an address is called.
func (a *admission) forget(remote net.Addr) {
	a.names.Range(func(key, _ any) bool {
		if key.(arrival).remote == remote.String() {
			a.names.Delete(key)
		}
		return true
	})
}

// admission is what the flags come to. giveUp is called when nobody can come in any more.
func (c *call) admission(ctx context.Context, f *socketFlags, listens bool, giveUp context.CancelCauseFunc) (*admission, error) {
	a, err := c.admit(ctx, f, listens, giveUp)
	if errors.Is(err, errInterrupted) {
		return nil, &cutError{errInterrupted}
	}
	return a, err
}

func (c *call) admit(ctx context.Context, f *socketFlags, listens bool, giveUp context.CancelCauseFunc) (*admission, error) {
	f.password = f.password || f.passwordFile != ""
	if err := f.check(c, listens); err != nil {
		return nil, err
	}
	a := &admission{words: f.words, protocol: mtls.Protocol, end: func() {}}
	if len(*f.peers) > 0 && f.tokenFile == "" || f.certs.used() {
		var err error
		a.live, a.end, err = c.socketTrust(ctx, f.peers, f.certs)
		a.expected = f.certs.names
		return a, err
	}
	var err error
	if a.identity, err = c.socketIdentity(); err != nil {
		return nil, err
	}
	if _, err := c.knownPeers(); err != nil {
		return nil, err // now rather than when the peer is there
	}
	switch {
	case f.password && listens:
		err = a.givePassword(c, f.remember, giveUp)
	case f.password:
		err = a.knowPassword(ctx, c, f)
	case f.tokenFile != "" && listens:
		err = a.takeTokens(f.tokenFile)
	case f.tokenFile != "":
		err = a.showToken(ctx, c, f)
	default:
		err = a.askPerson(c, f)
	}
	return a, err
}

// ours is the fingerprint that we show.
func (a *admission) ours() mtls.Fingerprint {
	if a.live != nil {
		return a.live.Identity().Fingerprint()
	}
	return a.identity.Fingerprint()
}

// pair is the keys of both sides, the dialer's first.
func (a *admission) pair(peer mtls.Fingerprint, dialed bool) []byte {
	ours := a.ours()
	if dialed {
		return append(ours[:], peer[:]...)
	}
	return append(peer[:], ours[:]...)
}

// An exporter is a connection that both its ends can derive secrets from.
type exporter interface {
	Export(label string, context []byte, n int) ([]byte, error)
}

// sessionWords are what two people can compare aloud: they differ where somebody is in between.
func (a *admission) sessionWords(conn exporter, peer mtls.Fingerprint, dialed bool) (string, error) {
	secret, err := conn.Export("EXPORTER-Snug-Words", a.pair(peer, dialed), 32)
	if err != nil {
		return "", err
	}
	return ident.SessionWords([32]byte(secret)), nil
}

// connected tells who the peer is, and returns what it is called, if anything.
func (c *call) connected(a *admission, conn *mtls.Conn, dialed bool) (name string, err error) {
	peer := conn.Peer().Fingerprint
	event := socketEvent{Event: "connected", Addr: conn.RemoteAddr().String(), Peer: peer.String(), Name: c.nameOf(peer)}
	if name, ok := a.names.Load(arrival{event.Addr, peer}); ok {
		event.Name = name.(string)
	}
	who := event.Peer
	if event.Name != "" {
		who = event.Name
	}
	if a.words {
		if event.Words, err = a.sessionWords(conn, peer, dialed); err != nil {
			return "", err
		}
	}
	c.tell(event, "connected with %s at %s", who, event.Addr)
	if a.words && !c.json {
		c.say("to compare aloud, the same there: %s", event.Words)
	}
	return event.Name, nil
}

// rememberAs remembers a peer that has proven itself, if a name was asked for.
func (c *call) rememberAs(name string, peer mtls.Fingerprint) error {
	if name == "" {
		return nil
	}
	if err := c.remember(name, peer); err != nil {
		return err
	}
	c.tell(socketEvent{Event: "remembered", Peer: peer.String(), Name: name}, "%s is remembered: --peer %s", name, name)
	return nil
}

// reasonOf is why a handshake failed, without the packages that it went through.
func reasonOf(err error) string {
	var refusal *client.Error
	if errors.As(err, &refusal) {
		return refusal.Message
	}
	reason := err.Error()
	for _, prefix := range []string{"mtls: handshake: ", "mtls: deciding about the peer: ", "mtls: admitting the peer: ", "mtls: dialing: ", "mtls: ", "cpace: "} {
		reason = strings.TrimPrefix(reason, prefix)
	}
	return reason
}
