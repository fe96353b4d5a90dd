package main

import (
	"context"
	"flag"
	"strings"
	"time"

	"snug/client"
)

func deviceVerbs() []*verb {
	return []*verb{
		simple("devices", "List the devices of this account", devices),
		alertsVerb(),
		{
			name: "device rename", args: "DEVICE NAME", least: 2, most: 2, flags: withDeviceNamed(renameDevice),
			does:    "Call a device otherwise: DEVICE is its id or its name, as snug devices lists them",
			example: "device rename laptop 'old laptop'",
		},
		{
			name: "device revoke", args: "DEVICE", least: 1, most: 1, flags: withDeviceNamed(revokeDevice),
			does:    "End another device of this account, for ever: it is cut off at once and leaves every room",
			example: "device revoke 'lost phone'",
		},
		linkVerb(),
	}
}

func devices(ctx context.Context, c *call, d *device) error {
	list, err := d.Devices(ctx)
	if err != nil {
		return err
	}
	for _, device := range list {
		if err := c.printDevice(device); err != nil {
			return err
		}
	}
	c.sayAlerts(ctx, d, 0)
	return nil
}

func (c *call) printDevice(device client.Device) error {
	object := struct {
		Device     string `json:"device"`
		Name       string `json:"name"`
		EnrolledAt string `json:"enrolled_at"`
		Current    bool   `json:"current"`
		New        bool   `json:"new"`
	}{device.ID.String(), device.Name, timeText(device.EnrolledAt), device.Current, device.New}
	mark := ""
	switch {
	case device.Current:
		mark = "  (this one)"
	case device.New:
		mark = "  (new)"
	}
	return c.print(object, "%s  %s  since %s%s", object.Device, safe(device.Name), device.EnrolledAt.Local().Format(time.DateOnly), mark)
}

// withDeviceNamed makes the flags of a verb that does something with the device which its first argument names.
func withDeviceNamed(act func(ctx context.Context, c *call, d *device, named client.Device) error) func(*flag.FlagSet) action {
	return func(set *flag.FlagSet) action {
		homeFlags(set)
		return withHome(func(ctx context.Context, c *call, d *device) error {
			list, err := d.Devices(ctx)
			if err != nil {
				return err
			}
			named, err := findDevice(list, c.args[0])
			if err != nil {
				return err
			}
			return act(ctx, c, d, named)
		})
	}
}

// findDevice finds a device by its id or by a name that only one has. Part of a name is none: a device that is revoked
// stays so.
func findDevice(list []client.Device, name string) (client.Device, error) {
	var found []client.Device
	for _, device := range list {
		if device.ID.String() == name {
			return device, nil
		}
		if device.Name == name {
			found = append(found, device)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return client.Device{}, &client.Error{Code: client.NotFound, Message: "this account has no device " + quoted(name), Hint: "snug devices lists the devices"}
	}
	return client.Device{}, usageErrorf("snug devices", "several devices are called %s: use the id", quoted(name))
}

// quoted is how a name that somebody gave is shown within a sentence.
func quoted(name string) string { return `"` + strings.ReplaceAll(safe(name), `"`, `'`) + `"` }

func renameDevice(ctx context.Context, c *call, d *device, named client.Device) error {
	name := c.args[1]
	if err := d.RenameDevice(ctx, named.ID, name); err != nil {
		return err
	}
	named.Name = name
	return c.printDevice(named)
}

func revokeDevice(ctx context.Context, c *call, d *device, named client.Device) error {
	if err := d.RevokeDevice(ctx, named.ID); err != nil {
		return err
	}
	if !c.json {
		c.say("whoever has it keeps what it has read; if it was lost, change the passphrase as well: snug passphrase")
	}
	return c.print(map[string]any{"device": named.ID.String(), "name": named.Name, "revoked": true}, "%s is revoked", safe(named.Name))
}
