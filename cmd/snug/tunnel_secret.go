package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync/atomic"

	"snug/internal/pki"
	"snug/internal/tunnel"
)

// tunnelSecrets are the flags that say where the passphrases of a tunnel's keys come from. They are asked for while it
// starts, and not later: nobody may be there then.
type tunnelSecrets struct {
	keyFile, authorityFile string
	running                atomic.Bool
	*pki.Secrets
}

// addKeyPassphrase adds the flag for keys of tunnels.
func addKeyPassphrase(set *flag.FlagSet) *tunnelSecrets {
	s := new(tunnelSecrets)
	set.StringVar(&s.keyFile, "key-passphrase-file", "", "the passphrase of --key, or of the key of --pki, is the first line of `FILE`, - for standard input (default: asked for where there is one)")
	return s
}

// addTunnelSecrets adds them all.
func addTunnelSecrets(set *flag.FlagSet) *tunnelSecrets {
	s := addKeyPassphrase(set)
	set.StringVar(&s.authorityFile, "passphrase-file", "", "with --pki, to renew certificates: the passphrase of the authority's key is the first line of `FILE`, - for standard input (default: asked for where there is one)")
	return s
}

// begin makes them ask from now on. It is called once.
func (s *tunnelSecrets) begin(ctx context.Context) error {
	if s.keyFile == "-" && s.authorityFile == "-" {
		return usageErrorf("--key-passphrase-file FILE --passphrase-file -", "standard input holds one passphrase: which of the two?")
	}
	s.Secrets = pki.NewSecrets(func(path string, authority bool) ([]byte, error) { return s.ask(ctx, path, authority) })
	return nil
}

// ask gives the passphrase of a key.
func (s *tunnelSecrets) ask(ctx context.Context, path string, authority bool) ([]byte, error) {
	file, name := s.keyFile, "--key-passphrase-file FILE"
	if authority {
		file, name = s.authorityFile, "--passphrase-file FILE"
	}
	if s.running.Load() && (file == "" || file == "-") {
		return nil, &sealedError{path, "it was not given when the tunnel was started", name}
	}
	passphrase, err := passphraseOf(ctx, file, "passphrase of "+path+": ", name)()
	var nobody *usageError
	if file == "" && errors.As(err, &nobody) {
		return nil, &sealedError{path, nobody.problem, name}
	}
	return passphrase, err
}

// A sealedError is a private key whose passphrase nobody gives.
type sealedError struct{ path, why, flag string }

func (e *sealedError) Error() string { return e.path + " is under a passphrase: " + e.why }

// Try is what to type.
func (e *sealedError) Try() string { return e.flag }

// unlock asks for the passphrases of the authorities that the routes' certificates are renewed by. Without one the
// tunnel runs all the same, and its certificates are renewed by somebody else or end: that is told, once.
func (s *tunnelSecrets) unlock(c *call, config *tunnel.Config) error {
	for _, route := range config.Routes {
		err := route.Unlock()
		var sealed *sealedError
		switch {
		case errors.As(err, &sealed):
			c.tell(socketEvent{Event: "unrenewed", Name: route.Name, Reason: sealed.Error(), Hint: "try: " + sealed.flag},
				"the certificate of route %s is not renewed by itself: %v; try: %s", route.Name, sealed, sealed.flag)
		case err != nil:
			return tunnelError(fmt.Errorf("route %s: %w", route.Name, err))
		}
	}
	return nil
}
