package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"time"

	"snug/client"
	"snug/internal/tunnel"
	"snug/mtls"
)

// doctorFlags are the rules and files of a tunnel's connecting end.
func doctorFlags(set *flag.FlagSet) action {
	addHome(set)
	var words [][2]string
	set.Func("peer", "expect the peer with this `FINGERPRINT` or remembered name; without one, say whose key it is", func(v string) error {
		rule, err := peerRule(v)
		words = append(words, [2]string{"allow", rule})
		return err
	})
	for _, name := range []string{"allow", "within", "pki", "key", "certificate", "authority", "list", "revoked"} {
		set.Func(name, tunnel.Directives[name].Usage, func(v string) error {
			words = append(words, [2]string{name, v})
			return nil
		})
	}
	secrets := addKeyPassphrase(set)
	timeout := set.Duration("wait", 10*time.Second, "give up after this `TIME`")
	return func(ctx context.Context, c *call) error {
		if len(c.args) > 0 {
			if err := secrets.begin(ctx); err != nil {
				return err
			}
			return examine(ctx, c, words, secrets, *timeout)
		}
		if len(words) > 0 || secrets.keyFile != "" {
			return usageErrorf("snug "+c.verb.example, "doctor: these flags are for the address of a socket or tunnel")
		}
		ctx, cancel := context.WithTimeout(ctx, *timeout)
		defer cancel()
		return withDevice(examineRooms)(ctx, c)
	}
}

// roomProblem is a room that is not well.
type roomProblem struct {
	Room    string `json:"room"`
	Name    string `json:"name"`
	Problem string `json:"problem"`
	Try     string `json:"try"`
}

// archiveProblem is an archive that is not well.
type archiveProblem struct {
	Archive bool   `json:"archive"`
	Problem string `json:"problem"`
	Try     string `json:"try"`
}

// examineRooms prints the rooms that do not go on, and the archive where it does not, each with its cause and what to do.
// It fails if there are any.
func examineRooms(ctx context.Context, c *call, d *device) error {
	if err := catchUpRooms(ctx, c, d); err != nil {
		return err
	}
	list, err := d.Rooms(ctx)
	if err != nil {
		return err
	}
	c.sayAlerts(ctx, d, 0)
	unwell := 0
	for _, r := range list {
		if r.Outside {
			r.Problem, r.Try = "this device has not been let into it yet", client.LetIn
		}
		if r.Problem == "" {
			continue
		}
		unwell++
		object := roomProblem{Room: r.ID.String(), Name: r.Name, Problem: r.Problem, Try: r.Try}
		if err := c.print(object, "%s  %s: %s; try: %s", object.Room, shownName(r), safe(r.Problem), safe(r.Try)); err != nil {
			return err
		}
	}
	if a, err := d.Archive(ctx); err != nil {
		return err
	} else if a.Problem != "" {
		object := archiveProblem{Archive: true, Problem: a.Problem, Try: a.Try}
		if err := c.print(object, "the archive: %s; try: %s", safe(a.Problem), safe(a.Try)); err != nil {
			return err
		}
		if unwell == 0 {
			return &client.Error{Code: client.Failed, Message: "the archive is not well"}
		}
	}
	if unwell > 0 {
		return &client.Error{Code: client.Failed, Message: fmt.Sprintf("rooms that are not well: %d", unwell)}
	}
	if !c.json {
		c.say("all rooms are well, as far as this device knows")
	}
	return nil
}

// examine tries the handshake and says in one line what came of it.
func examine(ctx context.Context, c *call, words [][2]string, secrets *tunnelSecrets, timeout time.Duration) error {
	files, err := c.tunnelFiles()
	if err != nil {
		return err
	}
	files.Secrets = secrets.Secrets
	route, err := tunnel.ProbeRoute(c.args[0], files, words)
	if err != nil {
		return usageErrorf("snug "+c.verb.example, "doctor: %v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	d := tunnel.Diagnose(ctx, route, time.Now())
	switch {
	case d.OK:
		return c.print(d, "%s", safe(d.Problem))
	case c.json:
		if err := c.print(d, ""); err != nil {
			return err
		}
	}
	code := client.Refused
	if d.Unreachable {
		code = client.Unreachable
	}
	hint := ""
	if d.Try != "" {
		hint = "try: " + d.Try
	}
	return &client.Error{Code: code, Message: d.Problem, Hint: hint}
}

// peerRule makes a tunnel's rule of what --peer takes. A contact is refused (docs/decisions/0027), and is never the peer
// who happens to be remembered under the same name.
func peerRule(v string) (string, error) {
	if handle, contact := strings.CutPrefix(v, "@"); contact {
		return "", fmt.Errorf("tunnels do not know contacts from rooms: --peer FINGERPRINT, which `snug key show` prints there, or a name that `snug key add` has given to it, not @%s", handle)
	}
	var p peers
	if err := p.Set(v); err != nil {
		return "", err
	}
	if _, err := mtls.ParseFingerprint(v); err == nil {
		return "key:" + v, nil
	}
	return "peer:" + v, nil
}
