package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"snug/client"
	"snug/internal/qr"
)

// linkPatience bounds a link, from the code to the new device: as long as the server keeps its mailbox.
const linkPatience = 10 * time.Minute

// maxAnswer is more than a code, a link or a yes, in bytes.
const maxAnswer = 1024

func linkVerb() *verb {
	return &verb{
		name: "device link", flags: linkFlags,
		does:    "Let a new device in from this one, without the passphrase: it is told a code, and both show the same digits",
		example: "device link",
	}
}

func linkFlags(set *flag.FlagSet) action {
	homeFlags(set)
	return withDevice(func(ctx context.Context, c *call, d *device) error {
		ctx, cancel := context.WithTimeout(ctx, linkPatience)
		defer cancel()
		starting, stop := context.WithTimeout(ctx, c.timeout)
		link, err := d.StartLink(starting)
		stop()
		if err != nil {
			return err
		}
		if err := c.showLink(d, link); err != nil {
			return err
		}
		match, err := d.AwaitLink(ctx)
		if err != nil {
			return err
		}
		same, err := c.compare(ctx, match.Digits, fmt.Sprintf("%s wants to be a device of yours", quoted(match.DeviceName)))
		if err != nil || !same {
			return refuseLink(ctx, d, err, &client.Error{Code: client.Refused, Message: "the link was stopped: nothing was handed over",
				Hint: "if the digits differed, somebody may be between your devices: try once more, over another network"})
		}
		device, err := d.ConfirmLink(ctx)
		if err != nil {
			return err
		}
		return c.printDevice(device)
	})
}

// showLink prints the code, on a terminal as a picture as well.
func (c *call) showLink(d *device, link client.Link) error {
	if isTerminal(c.out) && !c.json {
		code, err := qr.Encode(link.QR)
		if err != nil {
			return err
		}
		fmt.Fprint(c.out, code.Terminal())
	}
	if !c.json {
		c.say("for ten minutes and one device, which is yours: whoever has the code gets as far as the digits")
		c.say("on the new device, in a browser: sign in, then use a code; or in a terminal:")
	}
	c.sayLoopback(d)
	object := struct {
		Code   string `json:"link_code"`
		Server string `json:"server"`
	}{link.Code, d.server.String()}
	return c.print(object, "snug login --server %s --link %s", d.server, link.Code)
}

// compare shows the digits and asks whether the other device shows the same. Nothing but a clear yes is one.
func (c *call) compare(ctx context.Context, digits, what string) (bool, error) {
	if c.json {
		if err := c.print(map[string]string{"digits": digits}, ""); err != nil {
			return false, err
		}
	}
	c.say("%s", what)
	fmt.Fprintf(c.err, "snug: this device shows %s %s. Does the other one show the same? [y/N] ", digits[:3], digits[3:])
	line, err := c.readAnswer(ctx, "")
	if err != nil {
		return false, err
	}
	switch strings.ToLower(line) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// readAnswer reads one line of standard input, as long as it is waited for. What a person has to do may be said before.
func (c *call) readAnswer(ctx context.Context, do string) (string, error) {
	if do != "" && isTerminal(c.in) {
		c.say("%s", do)
	}
	return await(ctx, func() (string, error) { return readLine(c.in) })
}

// readLine reads one line and no more, so that what follows is there for who reads next.
func readLine(in io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < maxAnswer; {
		n, err := in.Read(b)
		if n == 1 && b[0] == '\n' {
			break
		}
		line = append(line, b[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", fmt.Errorf("reading the answer: %w", err)
		}
	}
	return strings.TrimSpace(string(line)), nil
}

// refuseLink ends a link that a person has not agreed to, for want of an answer or with a no.
func refuseLink(ctx context.Context, d *device, err, no error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), defaultTimeout)
	defer cancel()
	cancelled := d.CancelLink(ctx)
	if err != nil {
		return err
	}
	if cancelled != nil {
		return cancelled
	}
	return no
}

// enterByLink makes this home a device by the code that an old device shows; - reads it from standard input.
func (s *signIn) enterByLink(ctx context.Context, c *call, code string) error {
	if len(c.args) > 0 {
		return usageErrorf("snug login --server HOST:PORT#PIN --link CODE", "login: a link code says whose device this is: no HANDLE with --link")
	}
	if s.server == "" {
		return usageErrorf("snug login --server HOST:PORT#PIN --link "+code, "login: which server? --server HOST:PORT#PIN")
	}
	if code == "-" {
		line, err := c.readAnswer(ctx, "type the code, and Enter")
		if err != nil {
			return err
		}
		code = line
	}
	if s.deviceName == "" {
		s.deviceName, _ = os.Hostname()
	}
	d, err := c.newHome(ctx, s.server)
	if err != nil {
		return err
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(ctx, linkPatience)
	defer cancel()
	joining, stop := context.WithTimeout(ctx, c.timeout)
	match, err := d.JoinLink(joining, client.JoinLinkOptions{Code: code, DeviceName: s.deviceName})
	stop()
	if err != nil {
		return err
	}
	same, err := c.compare(ctx, match.Digits, "compare with the old device")
	if err != nil || !same {
		return refuseLink(ctx, d, err, &client.Error{Code: client.Refused, Message: "the link was stopped: this device has taken nothing", Hint: client.LinkDoubt})
	}
	if !c.json {
		c.say("waiting for the old device")
	}
	me, err := d.AcceptLink(ctx)
	if err != nil {
		return err
	}
	return c.printEntered(ctx, d, me)
}
