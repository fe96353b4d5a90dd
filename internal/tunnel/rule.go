package tunnel

import (
	"errors"
	"fmt"
	"strings"

	"snug/mtls"
)

// A Rule says who may be at the far end. Rules are exact: a name is equal or it is not, and nothing stands for many.
type Rule struct {
	text string
	// One of these.
	key  mtls.Fingerprint
	peer string
	name mtls.Name
}

// ParseRule reads a rule:
//
//	key:FINGERPRINT            the key, as `snug key show` prints it
//	peer:NAME                  the key that `snug key add` has remembered under the name
//	cn:NAME  dns:NAME  ip:ADDRESS  uri:URI  spiffe://DOMAIN/PATH
//	                           the name, in a certificate of the route's authority
func ParseRule(text string) (Rule, error) {
	kind, value, _ := strings.Cut(text, ":")
	switch kind {
	case "key":
		key, err := mtls.ParseFingerprint(value)
		if err != nil || key.IsZero() {
			return Rule{}, fmt.Errorf("%q is no fingerprint: 52 of a-z and 2-7", value)
		}
		return Rule{text: text, key: key}, nil
	case "peer":
		if value == "" {
			return Rule{}, errors.New("whose key? peer:NAME, of `snug key list`")
		}
		return Rule{text: text, peer: value}, nil
	case "cn", "dns", "ip", "uri", "spiffe":
		name, err := mtls.ParseName(text)
		if err != nil {
			return Rule{}, errors.New(strings.TrimPrefix(err.Error(), "mtls: "))
		}
		return Rule{text: text, name: name}, nil
	}
	return Rule{}, fmt.Errorf("%q is no rule: key:FINGERPRINT, peer:NAME, cn:NAME, dns:NAME, ip:ADDRESS, uri:URI or spiffe://DOMAIN/PATH", text)
}

// String gives the rule as it was written.
func (r Rule) String() string { return r.text }

// named reports whether it is for an authority to say who that is.
func (r Rule) named() bool { return !r.name.IsZero() }

// trustOf is whom the rules let in, with the remembered peers put in: by key, by the authority's word, or either. An
// authority's roots are its files'. It reports whether that is anybody.
func trustOf(rules []Rule, peers map[string]mtls.Fingerprint) (mtls.Trust, bool) {
	var pins []mtls.Fingerprint
	var names []mtls.Name
	for _, r := range rules {
		switch {
		case r.named():
			names = append(names, r.name)
		case r.peer != "":
			if key, known := peers[r.peer]; known {
				pins = append(pins, key)
			}
		default:
			pins = append(pins, r.key)
		}
	}
	switch {
	case len(pins) == 0 && len(names) == 0:
		return mtls.Trust{}, false
	case len(names) == 0:
		return mtls.Pin(pins...), true
	case len(pins) == 0:
		return mtls.Trust{Authority: &mtls.Authority{Names: names}}, true
	}
	return mtls.AnyOf(mtls.Pin(pins...), mtls.Trust{Authority: &mtls.Authority{Names: names}}), true
}

// An identity is who is at the far end, and the rule by which it is there.
type identity struct {
	peer mtls.Peer
	rule string
}

// match gives the rule by which a peer was accepted. Nothing but trustOf's trust accepts: this says why it did, by the
// chain that it has verified. So a name that the authority may not give is nobody's here either.
func match(rules []Rule, peers map[string]mtls.Fingerprint, peer mtls.Peer) (identity, error) {
	for _, r := range rules {
		key := r.key
		if r.peer != "" {
			key = peers[r.peer]
		}
		if !r.named() && !key.IsZero() && key.Equal(peer.Fingerprint) {
			return identity{peer: peer, rule: r.text}, nil
		}
	}
	for _, r := range rules {
		if r.named() && peer.Has(r.name) {
			return identity{peer: peer, rule: r.text}, nil
		}
	}
	return identity{}, errors.New("tunnel: no rule for the peer")
}
