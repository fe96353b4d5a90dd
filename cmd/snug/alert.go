package main

import (
	"context"
	"flag"

	"snug/client"
)

func alertsVerb() *verb {
	return &verb{
		name: "alerts", flags: alertFlags,
		does:    "List the devices that came to this account or left it elsewhere, and a passphrase that was changed, until they are dismissed",
		example: "alerts --dismiss",
	}
}

// alertObject is how scripts see an alert.
type alertObject struct {
	Alert      uint64 `json:"alert"`
	Kind       string `json:"kind"`
	Device     string `json:"device,omitempty"`
	DeviceName string `json:"device_name,omitempty"`
	At         string `json:"at"`
	Revoked    bool   `json:"revoked"`
}

var alertKinds = map[client.AlertKind]string{
	client.DeviceAdded: "device_added", client.DeviceRevoked: "device_revoked", client.PassphraseReplaced: "passphrase_replaced",
}

func alertFlags(set *flag.FlagSet) action {
	homeFlags(set)
	dismiss := set.Bool("dismiss", false, "show them no more on this device, now that you have seen them")
	return withHome(func(ctx context.Context, c *call, d *device) error {
		list, err := heardAlerts(ctx, d)
		if err != nil {
			return err
		}
		var ids []uint64
		for _, a := range list {
			ids = append(ids, a.ID)
			object := alertObject{Alert: a.ID, Kind: alertKinds[a.Kind], DeviceName: a.DeviceName, At: timeText(a.At), Revoked: a.Revoked}
			if !a.Device.IsZero() {
				object.Device = a.Device.String()
			}
			if err := c.print(object, "%s", alertText(a)); err != nil {
				return err
			}
		}
		if *dismiss {
			return d.DismissAlerts(ctx, ids...)
		}
		c.advise(list)
		return nil
	})
}

// heardAlerts gives the alerts that there are once the server has been heard, or cannot be.
func heardAlerts(ctx context.Context, d *device) ([]client.Alert, error) {
	if _, err := d.Devices(ctx); err != nil {
		return nil, err
	}
	return d.Alerts(ctx)
}

func alertText(a client.Alert) string {
	at := a.At.Local().Format("2006-01-02 15:04")
	switch {
	case a.Kind == client.PassphraseReplaced:
		return "the passphrase was changed on another device, heard of " + at
	case a.Kind == client.DeviceRevoked:
		return "signed out: " + quoted(a.DeviceName) + ", " + at
	case a.Revoked:
		return "a device signed in, and is signed out again: " + quoted(a.DeviceName) + ", " + at
	}
	return "new device signed in: " + quoted(a.DeviceName) + ", " + at
}

// advise says what to do about alerts, where there is anything to do.
func (c *call) advise(list []client.Alert) {
	for _, a := range list {
		if a.Kind != client.DeviceRevoked {
			c.say("if that was not you: snug devices, snug device revoke, and snug passphrase; if it was: snug alerts --dismiss")
			return
		}
	}
}

// sayAlerts says the alerts that are newer than one, and gives the newest: a verb that is about something else goes on
// without where they cannot be read.
func (c *call) sayAlerts(ctx context.Context, d *device, after uint64) uint64 {
	list, err := d.Alerts(ctx)
	if err != nil {
		return after
	}
	for len(list) > 0 && list[0].ID <= after {
		list = list[1:]
	}
	for _, a := range list {
		c.say("%s", alertText(a))
		after = a.ID
	}
	c.advise(list)
	return after
}
