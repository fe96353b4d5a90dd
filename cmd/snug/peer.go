package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"snug/client"
	"snug/internal/ident"
	"snug/mtls"
)

// peersFile is the file of a home with the peers of its sockets, a line each: a name and a fingerprint.
const peersFile = "peers"

// peerName is what a peer may be called. It is shorter than a fingerprint, so that no name can look like one.
var peerName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// peers is the flag --peer, given once or several times: fingerprints, and names of remembered peers.
type peers []string

func (p *peers) String() string { return "" }

// Set reads one of them. Whom a name stands for is looked up when the home is known.
func (p *peers) Set(text string) error {
	_, notKey := mtls.ParseFingerprint(text)
	_, notContact := ident.ParseHandle(strings.TrimPrefix(text, "@"))
	if contact := text[:min(len(text), 1)] == "@"; contact && notContact != nil || !contact && notKey != nil && !peerName.MatchString(text) {
		return errors.New("a peer is the fingerprint that `snug key show` prints on the other side, 52 of a-z and 2-7, a name given to it by `snug key add`, or @somebody whom you have verified")
	}
	*p = append(*p, text)
	return nil
}

// addPeers adds --peer. There is no flag to accept just anybody.
func addPeers(set *flag.FlagSet) *peers {
	p := new(peers)
	set.Var(p, "peer", "accept the peer with this `FINGERPRINT` or remembered name, or the devices of @somebody whom you have verified, and no other; may be given several times")
	return p
}

// contacts are those among them that are known from rooms.
func (p *peers) contacts() (handles []string) {
	for _, text := range *p {
		if strings.HasPrefix(text, "@") {
			handles = append(handles, text)
		}
	}
	return handles
}

// trust is what the flags come to. Where a contact is among them, this home's socketIdentity is its device's from then on.
func (p *peers) trust(ctx context.Context, c *call) (mtls.Trust, error) {
	if len(*p) == 0 {
		return mtls.Trust{}, usageErrorf("snug "+c.verb.example, "%s: who may it be? --peer takes what `snug key show` prints on the other side", c.verb.name)
	}
	known, err := c.knownPeers()
	if err != nil {
		return mtls.Trust{}, err
	}
	var pins []mtls.Fingerprint
	for _, text := range *p {
		if strings.HasPrefix(text, "@") {
			continue
		}
		pin, err := mtls.ParseFingerprint(text)
		if err != nil {
			var remembered bool
			if pin, remembered = known[text]; !remembered {
				return mtls.Trust{}, unknownPeer(text)
			}
		}
		pins = append(pins, pin)
	}
	if handles := p.contacts(); len(handles) > 0 {
		devices, err := c.meetContacts(ctx, handles)
		if err != nil {
			return mtls.Trust{}, err
		}
		if pins = append(pins, devices...); len(pins) == 0 {
			return mtls.Trust{}, &client.Error{Code: client.NotFound, Message: "there is no other device of " + strings.Join(handles, ", "),
				Hint: "one's own account is a peer by its other devices: snug login there"}
		}
	}
	return mtls.Pin(pins...), nil
}

// unknownPeer is the error of a name that stands for nobody.
func unknownPeer(name string) error {
	return &client.Error{Code: client.NotFound, Message: "no peer is remembered as " + name,
		Hint: "snug key add " + name + " FINGERPRINT, which `snug key show` prints on the other side"}
}

// peersPath is where the peers of this home are remembered.
func (c *call) peersPath() (string, error) {
	dir, err := homeDir(c.home)
	return filepath.Join(dir, peersFile), err
}

// knownPeers reads the remembered peers. A file that is not as we wrote it is refused whole: half of what somebody
// meant is not what they meant.
func (c *call) knownPeers() (map[string]mtls.Fingerprint, error) {
	path, err := c.peersPath()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	known := make(map[string]mtls.Fingerprint)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		name, print, _ := strings.Cut(lines.Text(), " ")
		pin, err := mtls.ParseFingerprint(print)
		if _, twice := known[name]; err != nil || twice || !peerName.MatchString(name) {
			return nil, fmt.Errorf("%s, line %d: want a name, a space and a fingerprint, each name once", path, n)
		}
		known[name] = pin
	}
	return known, lines.Err()
}

// savePeers writes them all, in order of their names.
func (c *call) savePeers(known map[string]mtls.Fingerprint) error {
	path, err := c.peersPath()
	if err != nil {
		return err
	}
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(known)) {
		fmt.Fprintf(&text, "%s %s\n", name, known[name])
	}
	return writeFile(path, []byte(text.String()))
}

// nameOf is what the key is remembered as, or "".
func (c *call) nameOf(pin mtls.Fingerprint) string {
	if handle := c.contacts[pin]; handle != "" {
		return handle
	}
	known, _ := c.knownPeers()
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if known[name].Equal(pin) {
			return name
		}
	}
	return ""
}

// peerObject is how scripts see a remembered peer.
type peerObject struct {
	Peer        string `json:"peer"`
	Fingerprint string `json:"fingerprint"`
}

func addPeerFlags(set *flag.FlagSet) action {
	addHome(set)
	return addPeer
}

// addPeer remembers a peer. A name that stands for another key already is not moved to the new one: whoever could talk
// somebody into that would be the peer from then on.
func addPeer(_ context.Context, c *call) error {
	name, text := c.args[0], c.args[1]
	if !peerName.MatchString(name) {
		return usageErrorf("snug "+c.verb.example, "%q is no name for a peer: at most 32 of a-z, 0-9, dot, dash and underscore", name)
	}
	pin, err := mtls.ParseFingerprint(text)
	if err != nil {
		return usageErrorf("snug "+c.verb.example, "%q is no fingerprint: 52 of a-z and 2-7", text)
	}
	if err := c.remember(name, pin); err != nil {
		return err
	}
	return c.print(peerObject{name, text}, "%s is remembered: --peer %s", name, name)
}

// remember gives a name to a key, once and for all: see addPeer.
func (c *call) remember(name string, pin mtls.Fingerprint) error {
	return c.changePeers(func(known map[string]mtls.Fingerprint) error {
		if old, taken := known[name]; taken && !old.Equal(pin) {
			return &client.Error{Code: client.Refused, Message: fmt.Sprintf("%s IS REMEMBERED WITH ANOTHER KEY: %s, not %s", name, old, pin),
				Hint: "ask the other side, by a way that you trust, whether its key has changed; if it has: snug key forget " + name}
		}
		known[name] = pin
		return nil
	})
}

// changePeers changes what is remembered, or nothing if change fails.
func (c *call) changePeers(change func(known map[string]mtls.Fingerprint) error) error {
	path, err := c.peersPath()
	if err != nil {
		return err
	}
	return locked(path, func() error {
		known, err := c.knownPeers()
		if err == nil {
			err = change(known)
		}
		if err != nil {
			return err
		}
		return c.savePeers(known)
	})
}

func forgetPeerFlags(set *flag.FlagSet) action {
	addHome(set)
	return forgetPeer
}

func forgetPeer(_ context.Context, c *call) error {
	name := c.args[0]
	var pin mtls.Fingerprint
	err := c.changePeers(func(known map[string]mtls.Fingerprint) error {
		var remembered bool
		if pin, remembered = known[name]; !remembered {
			return unknownPeer(name)
		}
		delete(known, name)
		return nil
	})
	if err != nil {
		return err
	}
	return c.print(peerObject{name, pin.String()}, "%s is forgotten, with the key %s", name, pin)
}

func listPeersFlags(set *flag.FlagSet) action {
	addHome(set)
	return listPeers
}

func listPeers(_ context.Context, c *call) error {
	known, err := c.knownPeers()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if err := c.print(peerObject{name, known[name].String()}, "%-32s %s", name, known[name]); err != nil {
			return err
		}
	}
	return nil
}
