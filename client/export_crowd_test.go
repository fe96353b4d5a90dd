package client

import (
	"context"
	"fmt"
	"io"
	"time"

	"snug/internal/ident"
	"snug/mls"
)

// MaxDevices is how many devices a room has.
const MaxDevices = maxDevices

// Absentee makes an account with n devices that exist on paper only: its chain, and a key package of each.
func Absentee(rand io.Reader, handle string, n int, now time.Time) (*ident.Chain, map[ident.DeviceID][]byte, error) {
	identity, chain, err := ident.NewAccount(rand, ident.Handle(handle), now)
	packages := make(map[ident.DeviceID][]byte)
	for i := 0; i < n && err == nil; i++ {
		var key ident.DeviceKey
		if key, err = ident.NewDeviceKey(rand); err != nil {
			break
		}
		if err = chain.Append(identity, ident.Enrol{Key: key.Public(), Name: fmt.Sprint("device ", i)}, now); err != nil {
			break
		}
		c := &Core{mem: &memory{key: key}, step: newStep(context.Background(), nil, now)}
		device := ident.NewDeviceID(chain.Account(), key.Public())
		var public *mls.KeyPackage
		if public = c.newKeyPackage(chain, device, true); public == nil {
			return nil, nil, c.step.err
		}
		packages[device] = public.Marshal()
	}
	return chain, packages, err
}
