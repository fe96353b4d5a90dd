package testkit

import (
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

// Chain gives an account's chain.
func (m *Model) Chain(account ident.AccountID) []byte {
	a := m.accountByID(account[:])
	return a.chain.Marshal()
}

// Forget makes the server act as if a room had never been, so that somebody can make another one under its id.
func (m *Model) Forget(room ident.RoomID) {
	m.rooms = slices.DeleteFunc(m.rooms, func(r *modelRoom) bool { return r.id == room })
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
