package client

import (
	"context"
	"time"

	"snug/internal/ident"
)

// Device is one enrolled device of this account, as its chain says.
type Device struct {
	ID         ident.DeviceID
	Name       string
	EnrolledAt time.Time
	// Current is this device.
	Current bool
}

// Devices lists the enrolled devices of this account.
func (c *Client) Devices(ctx context.Context) ([]Device, error) { return nil, errUnwritten }
