package cpace

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"

	"github.com/gtank/ristretto255"
)

// The associated data of the two sides. They differ, so that what one side says
// never passes for the other's when it is sent back to it. They are not on the
// wire: who speaks first is known.
const (
	initiatorData = "initiator"
	responderData = "responder"
)

const tagSize = sha512.Size

// Initiate runs the protocol as the side that speaks first; conn has deadlines of
// its own. nil means that the other side knows the password too, and is at the
// other end of this very connection. Otherwise the error is or wraps ErrPassword,
// ErrRefused, or an error of conn. rand is cryptographic.
//
// On the wire are our share (32 bytes), theirs, our tag (64 bytes), theirs. Our tag
// lets the other side test one password, whoever it is; theirs comes only after.
func Initiate(conn io.ReadWriter, rand io.Reader, in Input) error {
	r, err := begin(rand, in, true)
	if err != nil {
		return err
	}
	if _, err := conn.Write(r.share[:]); err != nil {
		return fmt.Errorf("cpace: sending: %w", err)
	}
	var share [shareSize]byte
	if err := read(conn, share[:], ErrRefused); err != nil {
		return err
	}
	if err := r.finish(share[:]); err != nil {
		return err
	}
	if _, err := conn.Write(r.ours[:]); err != nil {
		return fmt.Errorf("cpace: sending: %w", err)
	}
	var tag [tagSize]byte
	if err := read(conn, tag[:], ErrPassword); err != nil {
		return err
	}
	return r.confirm(tag[:])
}

// Respond runs the protocol as the side that answers. try is called once, when the
// other side has spoken and before it can know anything: a try of the password is
// to be counted there, whatever becomes of it, and to be refused by an error, which
// is returned as it is. Otherwise as Initiate.
func Respond(conn io.ReadWriter, rand io.Reader, in Input, try func() error) error {
	r, err := begin(rand, in, false)
	if err != nil {
		return err
	}
	var share [shareSize]byte
	if err := read(conn, share[:], io.ErrUnexpectedEOF); err != nil {
		return err
	}
	if err := try(); err != nil {
		return err
	}
	if err := r.finish(share[:]); err != nil {
		return err
	}
	if _, err := conn.Write(r.share[:]); err != nil {
		return fmt.Errorf("cpace: sending: %w", err)
	}
	var tag [tagSize]byte
	if err := read(conn, tag[:], ErrPassword); err != nil {
		return err
	}
	if err := r.confirm(tag[:]); err != nil {
		return err
	}
	if _, err := conn.Write(r.ours[:]); err != nil {
		return fmt.Errorf("cpace: sending: %w", err)
	}
	return nil
}

// read fills b. An end of the connection is what it means at this place.
func read(conn io.Reader, b []byte, ended error) error {
	_, err := io.ReadFull(conn, b)
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return ended
	}
	if err != nil {
		return fmt.Errorf("cpace: reading: %w", err)
	}
	return nil
}

// A run is one side of one run; its scalar is used once.
type run struct {
	initiator bool
	session   []byte
	scalar    *ristretto255.Scalar
	share     [shareSize]byte

	// From finish: the tag that we send, and the one that must come.
	ours, theirs [tagSize]byte
}

func begin(rand io.Reader, in Input, initiator bool) (*run, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	scalar, err := sampleScalar(rand)
	if err != nil {
		return nil, fmt.Errorf("cpace: sampling a scalar: %w", err)
	}
	r := &run{initiator: initiator, session: in.Session, scalar: scalar}
	r.share = scalarMult(scalar, calculateGenerator([]byte(in.Password.reveal()), in.Channel, in.Session))
	return r, nil
}

// finish takes the other side's share. All that can be wrong with it is one error.
func (r *run) finish(share []byte) error {
	k := scalarMultVfy(r.scalar, share)
	if isIdentity(&k) || bytes.Equal(share, r.share[:]) {
		return ErrPassword
	}
	a, b := r.share[:], share
	if !r.initiator {
		a, b = b, a
	}
	isk := intermediateKey(r.session, k[:], transcriptIR(a, []byte(initiatorData), b, []byte(responderData)))
	ta, tb := tags(r.session, isk[:], a, b)
	r.ours, r.theirs = ta, tb
	if !r.initiator {
		r.ours, r.theirs = tb, ta
	}
	return nil
}

// tags are the key confirmations of the draft, with HMAC-SHA-512: each side
// authenticates what it has sent.
func tags(sid, isk, ya, yb []byte) (ta, tb [tagSize]byte) {
	key := sha512.Sum512(append(append([]byte("CPaceMac"), sid...), isk...))
	mac := func(message []byte) (tag [tagSize]byte) {
		h := hmac.New(sha512.New, key[:])
		h.Write(message)
		h.Sum(tag[:0])
		return tag
	}
	return mac(lvCat(ya, []byte(initiatorData))), mac(lvCat(yb, []byte(responderData)))
}

// confirm takes the other side's tag.
func (r *run) confirm(tag []byte) error {
	if !hmac.Equal(tag, r.theirs[:]) {
		return ErrPassword
	}
	return nil
}
