package testkit

import (
	"fmt"
	"slices"

	"snug/internal/ident"
	"snug/internal/wire"
)

// What an evil operator can do from inside.

// ClaimFor takes a key package of a device.
func (m *Model) ClaimFor(device ident.DeviceID) *wire.KeyPackage {
	p := m.packages[device]
	return &wire.KeyPackage{Device: device.Bytes(), KeyPackage: p.lastResort}
}

// Bare takes away the key packages of a device, as if it had none left.
func (m *Model) Bare(device ident.DeviceID) { delete(m.packages, device) }

// Chain gives an account's chain.
func (m *Model) Chain(account ident.AccountID) []byte {
	a := m.accountByID(account[:])
	return a.chain.Marshal()
}

// Forget makes the server act as if a room had never been, so that somebody can make another one under its id.
func (m *Model) Forget(room ident.RoomID) {
	m.rooms = slices.DeleteFunc(m.rooms, func(r *modelRoom) bool { return r.id == room })
}

// HiddenRoom is one that the server acts as if it had never been.
type HiddenRoom struct{ room *modelRoom }

// Hide is Forget for a while.
func (m *Model) Hide(room ident.RoomID) *HiddenRoom {
	hidden := &HiddenRoom{m.room(room[:])}
	m.Forget(room)
	return hidden
}

// Unhide puts the room back, in the place of one that was made under its id.
func (m *Model) Unhide(hidden *HiddenRoom) {
	m.Forget(hidden.room.id)
	m.rooms = append(m.rooms, hidden.room)
}

// LetIn hands a room's whole log to the devices of an account that were ever in it.
func (m *Model) LetIn(room ident.RoomID, handle string) {
	r, a := m.room(room[:]), m.accountOf(handle)
	for _, member := range r.members {
		if member.account == a {
			member.until = 0
		}
	}
}

// Forge puts an entry into a sealed room's log that a device is said to have sent in the room's epoch.
func (m *Model) Forge(room ident.RoomID, account ident.AccountID, device ident.DeviceID, kind wire.EntryKind, payload []byte) {
	r := m.room(room[:])
	s := &Session{model: m, account: m.accountByID(account[:]), device: device}
	s.append(r, &wire.Submit{Kind: kind, Id: fmt.Appendf(nil, "forged entry %03d", r.seq())[:16], Epoch: r.epoch, Payload: payload}, nil)
	m.deliver()
}

// Epoch gives a sealed room's epoch.
func (m *Model) Epoch(room ident.RoomID) uint64 { return m.room(room[:]).epoch }

// Entry gives what stands at seq.
func (m *Model) Entry(room ident.RoomID, seq uint64) *wire.Entry {
	return m.room(room[:]).entries[seq-1]
}

// Expel makes the server act as if an account had never been, so that somebody else can have its handle. Its devices'
// connections go on.
func (m *Model) Expel(handle string) {
	expelled := m.accountOf(handle)
	m.accounts = slices.DeleteFunc(m.accounts, func(a *modelAccount) bool { return a == expelled })
}

// SpoilVault damages an account's vault.
func (m *Model) SpoilVault(handle string, spoil func(vault []byte) []byte) {
	a := m.accountOf(handle)
	a.vault = spoil(slices.Clone(a.vault))
}

// Settle registers an account whose devices, with one key package each, never connect.
func (m *Model) Settle(chain *ident.Chain, packages map[ident.DeviceID][]byte) {
	m.accounts = append(m.accounts, &modelAccount{chain: chain})
	for device, keyPackage := range packages {
		m.packages[device] = &modelPackages{lastResort: keyPackage}
	}
}

// PutOut takes an account's devices off the server's list of a room, of which the room's log says nothing, and hears no
// objection.
func (m *Model) PutOut(room ident.RoomID, handle string) {
	r, a := m.room(room[:]), m.accountOf(handle)
	for _, member := range r.members {
		if member.account == a && member.until == 0 {
			member.until = r.seq()
		}
	}
	r.turns = nil
}
