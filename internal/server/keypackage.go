package server

import (
	"context"

	"snug/internal/ident"
	"snug/internal/wire"
)

// KeyPackages is what a device publishes for others to add it by.
type KeyPackages struct {
	// OneTime are handed out once each.
	OneTime [][]byte
	// LastResort is handed out when none of those is left; nil leaves the former.
	LastResort []byte
	// Replace forgets the one-time packages stored before.
	Replace bool
}

// KeyPackage is a claimed one.
type KeyPackage struct {
	Account ident.AccountID
	Device  ident.DeviceID
	Bytes   []byte
}

// keyPackages checks what a device publishes.
func keyPackages(oneTime [][]byte, lastResort []byte, replace bool) (KeyPackages, error) {
	if len(oneTime) > wire.MaxKeyPackages {
		return KeyPackages{}, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "at most 100 key packages in one request")
	}
	for _, p := range append(oneTime[:len(oneTime):len(oneTime)], lastResort) {
		if len(p) > wire.MaxKeyPackage {
			return KeyPackages{}, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "a key package has at most 16 KiB")
		}
	}
	for _, p := range oneTime {
		if len(p) == 0 {
			return KeyPackages{}, badRequest("a key package is empty")
		}
	}
	if len(lastResort) == 0 {
		lastResort = nil
	}
	return KeyPackages{OneTime: oneTime, LastResort: lastResort, Replace: replace}, nil
}

func (n *session) putKeyPackages(ctx context.Context, m *wire.PutKeyPackages) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	p, err := keyPackages(m.KeyPackages, m.LastResortKeyPackage, m.Replace)
	if err != nil {
		return nil, err
	}
	if err := n.keepFew(ctx, d, p); err != nil {
		return nil, err
	}
	left, err := n.server.Store.PutKeyPackages(ctx, d.ID, p)
	if err != nil {
		return nil, err
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_KeyPackages{KeyPackages: &wire.KeyPackages{Remaining: uint32(left)}}}, nil
}

// keepFew bounds what one device stores.
func (n *session) keepFew(ctx context.Context, d *Device, p KeyPackages) error {
	if p.Replace {
		return nil
	}
	left, err := n.server.Store.RemainingKeyPackages(ctx, d.ID)
	if err != nil {
		return err
	}
	if left+len(p.OneTime) > maxKeyPackages {
		return &Refusal{Code: wire.ErrorCode_ERROR_CODE_TOO_LARGE, Message: "the device has many key packages already",
			Hint: "put more when they are fewer, or replace them"}
	}
	return nil
}

// claimKeyPackages takes key packages so that their devices can be added to a room.
func (n *session) claimKeyPackages(ctx context.Context, m *wire.ClaimKeyPackages) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	accounts, err := accountIDs(m.Accounts, wire.MaxAccounts)
	if err != nil {
		return nil, err
	}
	devices, err := deviceIDs(m.Devices, maxClaim)
	if err != nil {
		return nil, err
	}
	if err := n.server.limits.claims.takeN(d.Account, len(accounts)+len(devices)); err != nil {
		return nil, err
	}
	claimed, err := n.server.Store.ClaimKeyPackages(ctx, accounts, devices, maxClaim)
	if err != nil {
		return nil, err
	}
	reply := &wire.KeyPackages{KeyPackages: make([]*wire.KeyPackage, len(claimed))}
	for i := range claimed {
		p := &claimed[i]
		reply.KeyPackages[i] = &wire.KeyPackage{Account: p.Account[:], Device: p.Device[:], KeyPackage: p.Bytes}
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_KeyPackages{KeyPackages: reply}}, nil
}
