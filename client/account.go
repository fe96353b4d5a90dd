package client

import (
	"context"
	"time"

	"snug/internal/ident"
)

// Me is who is signed in on this device.
type Me struct {
	Account    ident.AccountID
	Handle     string
	Device     ident.DeviceID
	DeviceName string
	// Owner may invite, and makes the server's open rooms.
	Owner bool
}

// Account is one of the people of the server.
type Account struct {
	ID     ident.AccountID
	Handle string
	Online bool
	// SeenAt is when the account was last connected; zero for now and for never.
	SeenAt time.Time
}

// RegisterOptions make an account with this device as its first.
type RegisterOptions struct {
	Handle     string
	Passphrase string
	// Invite is the code that the server asks for; empty where registration is open.
	Invite     string
	DeviceName string
	// Progress is told what is going on, from the caller's goroutine. Optional.
	Progress func(step string)
}

// LoginOptions make this a device of an account that exists.
type LoginOptions struct {
	Handle     string
	Passphrase string
	DeviceName string
	// Progress is told what is going on, from the caller's goroutine. Optional.
	Progress func(step string)
}

// Invite is a one-time code with which somebody may register.
type Invite struct {
	Code      string
	ExpiresAt time.Time
}

// Register makes an account with this device as its first. A second call after a failure may repeat the first.
func (c *Client) Register(ctx context.Context, options RegisterOptions) (Me, error) {
	return Me{}, errUnwritten
}

// Login makes this a new device of the account.
func (c *Client) Login(ctx context.Context, options LoginOptions) (Me, error) {
	return Me{}, errUnwritten
}

// Logout revokes this device and forgets everything that is stored on it. Without a connection it refuses: the device
// would stay enrolled.
func (c *Client) Logout(ctx context.Context) error { return errUnwritten }

// Accounts lists the people of the server, by handle.
func (c *Client) Accounts(ctx context.Context) ([]Account, error) { return nil, errUnwritten }

// Invite makes a one-time code with which somebody may register.
func (c *Client) Invite(ctx context.Context) (Invite, error) { return Invite{}, errUnwritten }
