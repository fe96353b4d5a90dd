package mls

import "bytes"

// PSKType says what kind of pre-shared key is meant (RFC 9420, Section 8.4).
type PSKType uint8

const (
	PSKExternal   PSKType = 1
	PSKResumption PSKType = 2
)

// PSKUsage says what a resumption key is used for.
type PSKUsage uint8

const (
	UsageApplication PSKUsage = 1
	UsageReInit      PSKUsage = 2
	UsageBranch      PSKUsage = 3
)

// A PreSharedKeyID names a pre-shared key.
type PreSharedKeyID struct {
	Type PSKType
	// ID names an external key.
	ID []byte
	// Usage, GroupID and Epoch name the resumption secret of an epoch.
	Usage   PSKUsage
	GroupID []byte
	Epoch   uint64
	// Nonce is fresh for each use. It is filled in when a proposal is made with an empty one.
	Nonce []byte
}

func (id *PreSharedKeyID) encode(w *writer) {
	w.uint8(uint8(id.Type))
	if id.Type == PSKExternal {
		w.opaque(id.ID)
	} else {
		w.uint8(uint8(id.Usage))
		w.opaque(id.GroupID)
		w.uint64(id.Epoch)
	}
	w.opaque(id.Nonce)
}

func decodePreSharedKeyID(r *reader) PreSharedKeyID {
	id := PreSharedKeyID{Type: PSKType(r.uint8())}
	switch id.Type {
	case PSKExternal:
		id.ID = r.opaque()
	case PSKResumption:
		id.Usage = PSKUsage(r.uint8())
		if id.Usage < UsageApplication || id.Usage > UsageBranch {
			r.fail("a resumption key of an unknown usage")
		}
		id.GroupID = r.opaque()
		id.Epoch = r.uint64()
	default:
		r.fail("a pre-shared key of an unknown type")
	}
	id.Nonce = r.opaque()
	return id
}

// A preSharedKey is a key with its name.
type preSharedKey struct {
	unprintable
	id  PreSharedKeyID
	key Secret
}

// pskSecret chains the keys into the one input of the key schedule (RFC 9420, Section 8.4).
func (s *suite) pskSecret(psks []preSharedKey) Secret {
	zero := make([]byte, s.nh)
	secret := Secret(zero)
	for i, psk := range psks {
		var label writer
		psk.id.encode(&label)
		label.uint16(uint16(i))
		label.uint16(uint16(len(psks)))
		input := s.expandWithLabel(s.extract(zero, psk.key), "derived psk", label.b, s.nh)
		secret = s.extract(input, secret)
	}
	return secret
}

// findPSKs looks the keys up. Their number fits the two bytes that pskSecret has for it.
func (c *Config) findPSKs(ids []PreSharedKeyID, own func(PreSharedKeyID) Secret) ([]preSharedKey, error) {
	if len(ids) > 0xFFFF {
		return nil, invalid("8.4", "more pre-shared keys than can be counted")
	}
	psks := make([]preSharedKey, 0, len(ids))
	for _, id := range ids {
		key := own(id)
		if key == nil && c.PSK != nil {
			found, err := c.PSK(id)
			if err != nil {
				return nil, refused("looking up a pre-shared key", err)
			}
			key = found
		}
		if key == nil {
			return nil, invalid("12.4.2", "a pre-shared key is not known here")
		}
		psks = append(psks, preSharedKey{id: id, key: key})
	}
	return psks, nil
}

func (id *PreSharedKeyID) equal(other *PreSharedKeyID) bool {
	var a, b writer
	id.encode(&a)
	other.encode(&b)
	return bytes.Equal(a.b, b.b)
}

// links tells whether the key ties a group to the one that it comes from.
func (id *PreSharedKeyID) links() bool {
	return id.Type == PSKResumption && id.Usage != UsageApplication
}

// check holds a PSK of a proposal against RFC 9420, Section 12.1.4. What was received is of a known type; what is to be sent is
// what the caller has filled in.
func (id *PreSharedKeyID) check(s *suite) error {
	if id.Type != PSKExternal && (id.Type != PSKResumption || id.Usage < UsageApplication || id.Usage > UsageBranch) {
		return invalid("8.4", "a pre-shared key of an unknown type or usage")
	}
	if id.links() {
		return invalid("12.1.4", "a resumption key for reinit or branch outside of one")
	}
	if len(id.Nonce) != s.nh {
		return invalid("12.1.4", "a pre-shared key's nonce has the wrong length")
	}
	return nil
}
