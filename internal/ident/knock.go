package ident

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrRoomInvite is the error of ParseRoomInvite for what has not the form of an invite.
var ErrRoomInvite = errors.New("ident: a room's invite is snug-room-, 26 characters, a hyphen and 30 more, by itself or after the # of an address")

// ErrRoomInviteCheck is the error of ParseRoomInvite for what has the form, and a character that was changed on the way.
var ErrRoomInviteCheck = errors.New("ident: the room's invite does not fit its last four characters")

// ErrKnock is the one error of a letter or an answer that does not hold, whatever the cause.
var ErrKnock = errors.New("ident: the letter does not hold")

const (
	roomInvitePrefix = "snug-room-"
	knockVersion     = 1
	// An invite's code is secretText characters of secret and checkText that stand for both of its parts: of a million typing
	// errors one goes through. Invites of earlier versions have no check.
	secretText = 26
	checkText  = 4
)

// RoomInvite is what lets people ask to be let into a room: the room's id and 128 random
// bits, which stand in the fragment of a link and which no server learns. It prints as
// "secret".
type RoomInvite struct {
	hidden
	room   RoomID
	secret held[[16]byte]
}

// RoomInviteID names an invite: a hash of its public key.
type RoomInviteID [idSize]byte

// RoomInviteKeys are what the room's members keep of an invite. Neither lets them, or
// anybody, make a letter.
type RoomInviteKeys struct {
	// Letter verifies letters.
	Letter PublicKey
	// Answer is the MAC key of answers, which members and holders of the invite share.
	Answer [32]byte
}

// NewRoomInvite reads 16 bytes of rand.
func NewRoomInvite(rand io.Reader, room RoomID) (RoomInvite, error) {
	secret := new([16]byte)
	if _, err := io.ReadFull(rand, secret[:]); err != nil {
		return RoomInvite{}, fmt.Errorf("ident: making room invite: %w", err)
	}
	return RoomInvite{room: room, secret: hold(secret)}, nil
}

// ParseRoomInvite reads what Secret gives, with white space around it, or an http or https
// address of which it is the fragment. The last four characters may be missing, as in
// invites that are older than they are. The error is ErrRoomInvite or ErrRoomInviteCheck.
func ParseRoomInvite(s string) (RoomInvite, error) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		_, s, _ = strings.Cut(s, "#")
	}
	s, found := strings.CutPrefix(s, roomInvitePrefix)
	room, code, cut := strings.Cut(s, "-")
	secret := new([16]byte)
	id, err := ParseRoomID(room)
	check := ""
	if len(code) == secretText+checkText {
		code, check = code[:secretText], code[secretText:]
	}
	if !found || !cut || err != nil || parseText("room invite", code, secret[:]) != nil {
		return RoomInvite{}, ErrRoomInvite
	}
	i := RoomInvite{room: id, secret: hold(secret)}
	if check != "" && subtle.ConstantTimeCompare([]byte(check), []byte(i.check())) != 1 {
		return RoomInvite{}, ErrRoomInviteCheck
	}
	return i, nil
}

// check gives the characters by which a typing error is noticed: of a hash of all that is written.
func (i RoomInvite) check() string {
	h := sha256.New()
	h.Write([]byte(labelInviteCheck))
	h.Write(i.room[:])
	h.Write(i.secret()[:])
	return text.EncodeToString(h.Sum(nil))[:checkText]
}

// Room is the room that it is for.
func (i RoomInvite) Room() RoomID { return i.room }

// Secret gives the text to hand over: "snug-room-", the room's id, a hyphen and 30
// characters of base32, the last four of which are a check.
func (i RoomInvite) Secret() string {
	return roomInvitePrefix + i.room.String() + "-" + text.EncodeToString(i.secret()[:]) + i.check()
}

// Keys gives what the members keep of it.
func (i RoomInvite) Keys() RoomInviteKeys {
	return RoomInviteKeys{Letter: i.key().public(), Answer: [32]byte(i.derive(labelInviteAnswer))}
}

func (i RoomInvite) key() *signingKey {
	return &signingKey{private: ed25519.NewKeyFromSeed(i.derive(labelInviteLetter))}
}

func (i RoomInvite) derive(label string) []byte {
	b, err := hkdf.Key(sha256.New, i.secret()[:], i.room[:], label, 32)
	if err != nil {
		panic("ident: internal error: " + err.Error()) // 32 bytes are never too many
	}
	return b
}

// ID names the invite that has these keys.
func (k RoomInviteKeys) ID() RoomInviteID {
	h := sha256.Sum256(append([]byte(labelInviteID), k.Letter[:]...))
	return RoomInviteID(h[:])
}

// Knock is the request of an account to be let into a room by an invite.
type Knock struct {
	Room    RoomID
	Account AccountID
	// Device is the account's device that asks, and which has signed.
	Device DeviceID
	Invite RoomInviteID
	// Nonce is the letter's, so that an answer is to this one.
	Nonce [16]byte

	byInvite, byDevice []byte
}

// transcript is what both keys sign: fixed sizes throughout.
func (k Knock) transcript() []byte {
	b := append(k.Room.Bytes(), k.Account[:]...)
	b = append(b, k.Device[:]...)
	b = append(b, k.Invite[:]...)
	return append(b, k.Nonce[:]...)
}

// Letter asks for this device's account to be let in. Nonce is 16 random bytes. Who passes
// the letter on can change nothing of it, and use it for no other account or room.
func (i RoomInvite) Letter(account AccountID, key DeviceKey, nonce [16]byte) []byte {
	k := Knock{Room: i.room, Account: account, Device: NewDeviceID(account, key.Public()), Invite: i.Keys().ID(), Nonce: nonce}
	b := append([]byte{knockVersion}, k.Invite[:]...)
	b = append(b, k.Nonce[:]...)
	b = append(b, k.Device[:]...)
	b = append(b, i.key().sign(labelKnockInvite, k.transcript())...)
	return append(b, key.Sign(labelKnockDevice, k.transcript())...)
}

// ParseKnock reads a letter that came for a room from an account. Nothing is verified by
// it. The error is ErrKnock.
func ParseKnock(room RoomID, account AccountID, letter []byte) (Knock, error) {
	r := reader{rest: letter}
	k := Knock{Room: room, Account: account}
	version := r.byte()
	r.fill(k.Invite[:])
	r.fill(k.Nonce[:])
	r.fill(k.Device[:])
	k.byInvite, k.byDevice = r.take(SignatureSize), r.take(SignatureSize)
	if r.end() != nil || version != knockVersion {
		return Knock{}, ErrKnock
	}
	return k, nil
}

// VerifyInvite checks that whoever wrote the letter had the invite. The error is ErrKnock.
func (k Knock) VerifyInvite(keys RoomInviteKeys) error {
	if keys.ID() != k.Invite || keys.Letter.Verify(labelKnockInvite, k.transcript(), k.byInvite) != nil {
		return ErrKnock
	}
	return nil
}

// VerifyDevice checks that the account itself asks: the device is enrolled in its chain and
// not revoked, and has signed. The error is ErrKnock.
func (k Knock) VerifyDevice(chain *Chain) error {
	d, enrolled := chain.Device(k.Device)
	if !enrolled || chain.Account() != k.Account || d.Key.Verify(labelKnockDevice, k.transcript(), k.byDevice) != nil {
		return ErrKnock
	}
	return nil
}

// Answer gives what members say to a letter that they do not follow: 33 bytes. Only who
// has the invite, or is in the room, can make one or tell it from another.
func (k Knock) Answer(keys RoomInviteKeys, verdict byte) []byte {
	return append([]byte{verdict}, k.mac(keys, verdict)...)
}

// OpenAnswer reads what Answer gave, where it is an answer to this letter. The error is
// ErrKnock.
func (k Knock) OpenAnswer(keys RoomInviteKeys, answer []byte) (verdict byte, err error) {
	if len(answer) != 1+sha256.Size || !hmac.Equal(answer[1:], k.mac(keys, answer[0])) {
		return 0, ErrKnock
	}
	return answer[0], nil
}

func (k Knock) mac(keys RoomInviteKeys, verdict byte) []byte {
	h := hmac.New(sha256.New, keys.Answer[:])
	h.Write([]byte(labelKnockAnswer))
	h.Write(k.transcript())
	h.Write([]byte{verdict})
	return h.Sum(nil)
}
