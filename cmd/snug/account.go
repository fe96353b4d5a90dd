package main

import (
	"context"
	"flag"
	"os"
	"time"

	"snug/client"
	"snug/internal/ident"
)

func accountVerbs() []*verb {
	return []*verb{
		{
			name: "register", args: "HANDLE", least: 1, most: 1, flags: registerFlags,
			does:    "Make an account on a server, with this device as its first",
			example: "register alice --server 127.0.0.1:8443#PIN --invite CODE",
		},
		{
			name: "login", args: "HANDLE", least: 0, most: 1, flags: loginFlags,
			does:    "Sign in to an account on this device, with its passphrase alone, or with --link from a device that is signed in",
			example: "login alice --server 127.0.0.1:8443#PIN",
		},
		{
			name: "passphrase", flags: passphraseFlags,
			does:    "Change the account's passphrase, from any of its devices; the former one is not needed",
			example: "passphrase",
		},
		{
			name: "logout", flags: logoutFlags,
			does:    "Sign out: revoke this device and forget everything that is stored on it; asks where it is the only one",
			example: "logout",
		},
		archiveVerb(),
		simple("whoami", "Say who is signed in on this device", whoami),
		simple("users", "List the people of the server", users),
		simple("invite", "Make a one-time code with which somebody may register", invite),
	}
}

// simple makes a verb without arguments of its own.
func simple(name, does string, act func(context.Context, *call, *device) error) *verb {
	return &verb{name: name, does: does, example: name + " --json", flags: func(set *flag.FlagSet) action {
		homeFlags(set)
		return withHome(act)
	}}
}

// A signIn is what register and login have in common.
type signIn struct{ server, invite, passphraseFile, deviceName string }

func (s *signIn) add(set *flag.FlagSet) {
	homeFlags(set)
	set.StringVar(&s.server, "server", "", "the server's `HOST:PORT#PIN`, as it prints when it starts")
	set.StringVar(&s.passphraseFile, "passphrase-file", "", "read the passphrase from the first line of `FILE`; - is standard input")
	set.StringVar(&s.deviceName, "device", "", "what to `NAME` this device (default: this machine's name)")
}

func registerFlags(set *flag.FlagSet) action {
	var s signIn
	s.add(set)
	set.StringVar(&s.invite, "invite", "", "the `CODE` that lets you in")
	return func(ctx context.Context, c *call) error {
		return s.run(ctx, c, newPassphrase, func(ctx context.Context, d *device, passphrase string) (client.Me, error) {
			return d.Register(ctx, client.RegisterOptions{
				Handle: c.args[0], Passphrase: passphrase, Invite: s.invite, DeviceName: s.deviceName,
				Progress: c.progress(),
			})
		})
	}
}

func loginFlags(set *flag.FlagSet) action {
	var s signIn
	s.add(set)
	link := set.String("link", "", "the `CODE` that snug device link, or the page, shows on a device of yours; - reads it from standard input")
	return func(ctx context.Context, c *call) error {
		if *link != "" {
			return s.enterByLink(ctx, c, *link)
		}
		if len(c.args) == 0 {
			return usageErrorf("snug "+c.verb.example, "login: too few arguments: snug login HANDLE")
		}
		return s.run(ctx, c, oldPassphrase, func(ctx context.Context, d *device, passphrase string) (client.Me, error) {
			return d.Login(ctx, client.LoginOptions{
				Handle: c.args[0], Passphrase: passphrase, DeviceName: s.deviceName,
				Progress: c.progress(),
			})
		})
	}
}

// run opens a new home, learns the passphrase and lets enter do the rest.
func (s *signIn) run(
	ctx context.Context, c *call, learn func(ctx context.Context, file string) (string, error),
	enter func(context.Context, *device, string) (client.Me, error),
) error {
	if s.server == "" {
		return usageErrorf("snug "+c.verb.example, "%s: which server? --server HOST:PORT#PIN", c.verb.name)
	}
	// @alice is how handles are written everywhere else.
	if len(c.args[0]) > 0 && c.args[0][0] == '@' {
		c.args[0] = c.args[0][1:]
	}
	if _, err := ident.ParseHandle(c.args[0]); err != nil {
		return usageErrorf("snug "+c.verb.example, "%q is no handle: 3 to 32 of a-z, 0-9, dot, dash and underscore, a letter or digit at both ends", c.args[0])
	}
	if s.deviceName == "" {
		s.deviceName, _ = os.Hostname()
	}
	d, err := c.newHome(ctx, s.server)
	if err != nil {
		return err
	}
	defer d.Close()
	passphrase, err := learn(ctx, s.passphraseFile)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	me, err := enter(ctx, d, passphrase)
	if err != nil {
		return err
	}
	return c.printEntered(ctx, d, me)
}

// printEntered says who is signed in on a new device, and how many rooms that device is not in yet: the account has them, and
// until another device lets this one in there is nothing else to be seen of them.
func (c *call) printEntered(ctx context.Context, d *device, me client.Me) error {
	if err := c.printMe(d, me); err != nil {
		return err
	}
	if n, err := d.Outside(ctx); err == nil { // else it is signed in all the same
		c.sayOutside(n)
	}
	return nil
}

// meObject is how scripts see who is signed in.
type meObject struct {
	Handle     string `json:"handle"`
	Account    string `json:"account"`
	Device     string `json:"device"`
	DeviceName string `json:"device_name"`
	Server     string `json:"server"`
	Owner      bool   `json:"owner"`
}

func (c *call) printMe(d *device, me client.Me) error {
	object := meObject{
		Handle: me.Handle, Account: me.Account.String(), Device: me.Device.String(), DeviceName: me.DeviceName,
		Server: d.server.String(), Owner: me.Owner,
	}
	return c.print(object, "@%s on %s, device %s (%s)", me.Handle, object.Server, safe(me.DeviceName), object.Device)
}

func whoami(ctx context.Context, c *call, d *device) error {
	me, _ := d.Me()
	return c.printMe(d, me)
}

func passphraseFlags(set *flag.FlagSet) action {
	homeFlags(set)
	file := set.String("passphrase-file", "", "read the new passphrase from the first line of `FILE`; - is standard input")
	repair := set.Bool("repair", false, "put this device's copy of the vault in the place of one on the server that does not open")
	return withDevice(func(ctx context.Context, c *call, d *device) error {
		passphrase, err := newPassphrase(ctx, *file)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		if err := d.ChangePassphrase(ctx, client.ChangePassphraseOptions{Passphrase: passphrase, Repair: *repair, Progress: c.progress()}); err != nil {
			return err
		}
		me, _ := d.Me()
		return c.print(map[string]any{"handle": me.Handle, "passphrase_changed": true}, "@%s has another passphrase now; every device stays signed in", me.Handle)
	})
}

func users(ctx context.Context, c *call, d *device) error {
	accounts, err := d.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		object := struct {
			Handle  string `json:"handle"`
			Account string `json:"account"`
			Online  bool   `json:"online"`
			SeenAt  string `json:"seen_at,omitempty"`
		}{a.Handle, a.ID.String(), a.Online, timeText(a.SeenAt)}
		state := "away"
		if a.Online {
			state = "here"
		}
		if err := c.print(object, "@%-32s %s", a.Handle, state); err != nil {
			return err
		}
	}
	return nil
}

func invite(ctx context.Context, c *call, d *device) error {
	i, err := d.Invite(ctx)
	if err != nil {
		return err
	}
	object := struct {
		Invite    string `json:"invite"`
		Server    string `json:"server"`
		ExpiresAt string `json:"expires_at"`
	}{i.Code, d.server.String(), timeText(i.ExpiresAt)}
	if !c.json {
		c.say("good for one account until %s; in a terminal:", i.ExpiresAt.Local().Format("2 January 15:04"))
	}
	c.sayLoopback(d)
	return c.print(object, "snug register HANDLE --server %s --invite %s", d.server, i.Code)
}

// timeText is how scripts see a time: RFC 3339 in UTC, with milliseconds; empty for none.
func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
