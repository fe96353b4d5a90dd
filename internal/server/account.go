package server

import (
	"snug/internal/ident"
)

// Account is what the store knows of an account.
type Account struct {
	ID     ident.AccountID
	Handle string
	// Owner says that it came by the owner's invite.
	Owner bool
	// Chain is the encoded chain; Vault is sealed. Empty in lists.
	Chain, Vault []byte
	// Salt and Argon2 are how the account's passphrase is stretched, Auth the slow
	// hash of what comes out. Empty in lists.
	Salt   []byte
	Argon2 Argon2
	Auth   []byte
	// SeenAt is when it was last connected, in ms; 0 for never.
	SeenAt int64
	// Digest is NewAccount's.
	Digest ident.Hash
}

// Argon2 are parameters as the client named them.
type Argon2 struct{ MemoryKiB, Passes, Lanes uint32 }

// NewAccount is a registration, verified as far as that needs no store.
type NewAccount struct {
	Account
	Device      Device
	KeyPackages KeyPackages
	// Invite is the hash of the code; UseInvite is unset where none is needed.
	Invite    ident.InviteHash
	UseInvite bool
	// At is now, in ms.
	At int64
}

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
