package server

import (
	"context"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// NewInvite is a code that CreateInvite stores the hash of.
type NewInvite struct {
	Hash ident.InviteHash
	// Owner makes whoever uses it the server's owner. It does not expire.
	Owner bool
	// By is the account that made it; zero for an owner's.
	By ident.AccountID
	// ExpiresAt is in ms.
	ExpiresAt int64
}

// createInvite makes a code for somebody else. Only its hash is kept.
func (n *session) createInvite(ctx context.Context, m *wire.CreateInvite) (*wire.ServerFrame, error) {
	d, err := n.acting()
	if err != nil {
		return nil, err
	}
	if !d.Owner {
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "only the server's owner makes invites")
	}
	valid := inviteFor
	if m.ValidHours > uint32(maxInviteFor/time.Hour) {
		return nil, badRequest("an invite is valid for at most 30 days")
	}
	if m.ValidHours > 0 {
		valid = time.Duration(m.ValidHours) * time.Hour
	}
	if err := n.server.limits.invites.take(d.Account); err != nil {
		return nil, err
	}
	invite, err := ident.NewInvite(n.server.Rand)
	if err != nil {
		return nil, err
	}
	i := NewInvite{Hash: ident.HashInvite(invite), By: d.Account, ExpiresAt: n.server.Now().Add(valid).UnixMilli()}
	if err := n.server.Store.CreateInvite(ctx, i); err != nil {
		return nil, err
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Invite{Invite: &wire.Invite{
		Code: invite.Secret(), ExpiresAt: i.ExpiresAt,
	}}}, nil
}
