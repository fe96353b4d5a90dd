package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/qr"
	"snug/mtls"
)

// socketKey is the file of a home with the identity of its sockets.
const socketKey = "socket.pem"

// socketIdentity is the identity of this home's sockets, made at its first use; its device's where a contact is the peer.
func (c *call) socketIdentity() (*mtls.Identity, error) {
	if c.device != nil {
		return c.device, nil
	}
	dir, err := homeDir(c.home)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, socketKey)
	identity, err := mtls.LoadOrGenerate(path, mtls.Generate)
	if err != nil {
		return nil, &client.Error{Message: strings.TrimPrefix(err.Error(), "mtls: "),
			Hint: "it is this home's key: chmod 600, or a copy of it; moved away, a new key is made, which peers that know the old one refuse"}
	}
	return identity, nil
}

func keyFlags(set *flag.FlagSet) action {
	addHome(set)
	return showKey
}

// showKey prints the key in each way that another side can take it: typed, compared, scanned.
func showKey(_ context.Context, c *call) error {
	identity, err := c.socketIdentity()
	if err != nil {
		return err
	}
	key := identity.Fingerprint()
	object := struct {
		Fingerprint string `json:"fingerprint"`
		Digits      string `json:"digits"`
		Words       string `json:"words"`
	}{key.String(), ident.Digits(key), ident.TellApart(key)}
	if !c.json {
		c.say("to compare, all of it: %s", object.Digits)
		c.say("to tell it from others at a glance: %s", object.Words)
	}
	if isTerminal(c.out) && !c.json {
		code, err := qr.Encode(object.Fingerprint)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.err, "\n%s\n", code.Terminal())
	}
	return c.print(object, "%s", object.Fingerprint)
}
