package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"

	"snug/internal/ident"
	"snug/mtls"
)

// socketKey is the file of a home with the identity of its sockets.
const socketKey = "socket.pem"

// socketIdentity is the identity of this home's sockets, made at its first use.
func (c *call) socketIdentity() (*mtls.Identity, error) {
	dir, err := homeDir(c.home)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return mtls.LoadOrGenerate(filepath.Join(dir, socketKey), mtls.Generate)
}

func keyFlags(set *flag.FlagSet) action {
	addHome(set)
	return func(_ context.Context, c *call) error {
		identity, err := c.socketIdentity()
		if err != nil {
			return err
		}
		object := struct {
			Fingerprint string `json:"fingerprint"`
		}{identity.Fingerprint().String()}
		if !c.json {
			c.say("to tell it from others at a glance: %s", ident.TellApart(identity.Fingerprint()))
		}
		return c.print(object, "%s", object.Fingerprint)
	}
}
