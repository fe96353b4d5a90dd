package main

import (
	"context"

	"snug/mtls"
)

// meetContacts gives the keys of the devices of contacts from rooms that were verified on this device, as their chains
// have them, and makes this home show its own device's key: the other side knows us in the same way.
func (c *call) meetContacts(ctx context.Context, handles []string) ([]mtls.Fingerprint, error) {
	ctx, cancel := context.WithTimeout(ctx, max(c.timeout, defaultTimeout))
	defer cancel()
	d, err := c.openHome(ctx)
	if err != nil {
		return nil, err
	}
	pins, err := c.devicesOf(ctx, d, handles)
	if closing := d.Close(); err == nil {
		err = closing
	}
	return pins, err
}

func (c *call) devicesOf(ctx context.Context, d *device, handles []string) (pins []mtls.Fingerprint, err error) {
	ours, err := d.DeviceKey(ctx)
	if err != nil {
		return nil, err
	}
	if c.device, err = mtls.FromKey(ours.Signer()); err != nil {
		return nil, err
	}
	c.contacts = make(map[mtls.Fingerprint]string)
	for _, handle := range handles {
		keys, err := d.DeviceKeys(ctx, handle)
		if err != nil {
			return nil, err
		}
		for _, key := range keys {
			// Another device of one's own account is a peer, this one is not.
			if pin := mtls.FingerprintOfEd25519(key); pin != c.device.Fingerprint() {
				pins = append(pins, pin)
				c.contacts[pin] = handle
			}
		}
	}
	return pins, nil
}

// contactOf is the contact that every one of the keys is a device of, or "".
func (c *call) contactOf(pins []mtls.Fingerprint) (handle string) {
	for _, pin := range pins {
		of := c.contacts[pin]
		if of == "" || handle != "" && handle != of {
			return ""
		}
		handle = of
	}
	return handle
}
