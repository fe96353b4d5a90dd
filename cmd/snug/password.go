package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"snug/client"
	"snug/internal/cpace"
	"snug/internal/ident"
	"snug/mtls"
)

// passwordTries is how often a password may be tried before it ends, over all connections.
const passwordTries = 3

// A oneTime is a password that lets one peer in.
type oneTime struct {
	password cpace.Password

	mu     sync.Mutex
	left   int    // tries
	trying int    // of them under way
	winner string // the address of the peer that knew it
}

var errNoTries = errors.New("no more tries of the password")

// try counts one. It is asked before whoever tries can know anything, so that to go away in the middle helps nobody.
func (o *oneTime) try() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.left == 0 || o.winner != "" {
		return errNoTries
	}
	o.left--
	o.trying++
	return nil
}

// settle ends a try. Of two that know the password at the same moment the first has it.
func (o *oneTime) settle(knew bool, remote string) (won bool, left int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trying--
	if won = knew && o.winner == ""; won {
		o.winner = remote
	}
	return won, o.left
}

// spent reports whether nobody can come in any more.
func (o *oneTime) spent() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.winner == "" && o.left == 0 && o.trying == 0
}

// hasWon reports whether the peer at an address is the one that was let in.
func (o *oneTime) hasWon(remote string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.winner == remote
}

// givePassword makes the password of a listener, and lets in who knows it.
func (a *admission) givePassword(c *call, remember string, giveUp context.CancelCauseFunc) error {
	text, err := ident.GeneratePassword(ident.Random())
	if err != nil {
		return err
	}
	o := &oneTime{password: cpace.ParsePassword(text), left: passwordTries}
	a.protocol = passwordProtocol
	a.decide = func(_ context.Context, u *mtls.Unverified) (mtls.Fingerprint, error) {
		return a.tryPassword(c, o, u, remember)
	}
	a.announce = func() {
		c.tell(socketEvent{Event: "password", Password: text}, "the password, for one peer and %d tries: %s", passwordTries, text)
	}
	// Only here, when the dialer has been told: the end of the listener cuts off who is still there.
	a.refused = func(remote net.Addr, err error) {
		switch {
		case o.hasWon(remote.String()):
			giveUp(lostWinner(err))
		case o.spent():
			giveUp(&client.Error{Code: client.Refused, Message: fmt.Sprintf("the password was tried %d times in vain, and has ended", passwordTries),
				Hint: "somebody mistypes, guesses or sits in between; start again for a new one"})
		}
	}
	return nil
}

// lostWinner is the error of a listener whose password was used by a peer that did not come through all the same.
func lostWinner(err error) error {
	var refusal *client.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return &cutError{fmt.Errorf("the peer knew the password, and was gone before it was let in: %w", err)}
}

// tryPassword is one try of a dialer's.
func (a *admission) tryPassword(c *call, o *oneTime, u *mtls.Unverified, remember string) (mtls.Fingerprint, error) {
	peer := u.Peer().Fingerprint
	input, err := a.passwordInput(o.password, u)
	if err != nil {
		return mtls.Fingerprint{}, err
	}
	counted := false
	err = cpace.Respond(u, ident.Random(), input, func() error {
		err := o.try()
		counted = err == nil
		return err
	})
	if !counted {
		return mtls.Fingerprint{}, err
	}
	won, left := o.settle(err == nil, u.RemoteAddr().String())
	switch {
	case err != nil:
		return mtls.Fingerprint{}, fmt.Errorf("%w; tries left: %d", err, left)
	case !won:
		return mtls.Fingerprint{}, errNoTries
	}
	if err := c.rememberAs(remember, peer); err != nil {
		return mtls.Fingerprint{}, err
	}
	return peer, nil
}

// passwordInput binds the password to this one connection and to both keys.
func (a *admission) passwordInput(password cpace.Password, u *mtls.Unverified) (cpace.Input, error) {
	session, err := u.Export("EXPORTER-Snug-Password", nil, 32)
	return cpace.Input{Password: password, Channel: a.pair(u.Peer().Fingerprint, u.Dialed()), Session: session}, err
}

// knowPassword lets a dialer in where the same password is known.
func (a *admission) knowPassword(ctx context.Context, c *call, f *socketFlags) error {
	text, err := dialersPassword(ctx, f.passwordFile)
	if err != nil {
		return err
	}
	password := cpace.ParsePassword(text)
	a.protocol = passwordProtocol
	a.decide = func(_ context.Context, u *mtls.Unverified) (mtls.Fingerprint, error) {
		input, err := a.passwordInput(password, u)
		if err != nil {
			return mtls.Fingerprint{}, err
		}
		if err := cpace.Initiate(u, ident.Random(), input); err != nil {
			return mtls.Fingerprint{}, passwordError(err)
		}
		return u.Peer().Fingerprint, c.rememberAs(f.remember, u.Peer().Fingerprint)
	}
	return nil
}

// passwordError says what a dialer can do.
func passwordError(err error) error {
	switch {
	case errors.Is(err, cpace.ErrPassword):
		return &client.Error{Code: client.Refused, Message: "the password is wrong, or somebody is in between",
			Hint: "type it as the other side shows it now; after three tries it ends there"}
	case errors.Is(err, cpace.ErrRefused):
		return &client.Error{Code: client.Refused, Message: "the other side takes no more tries of the password",
			Hint: "have it start `snug listen --password` again, which makes a new one"}
	}
	return err
}

// dialersPassword is the password from the file, the environment, or the terminal: never an argument, which every process
// of the machine can read.
func dialersPassword(ctx context.Context, file string) (string, error) {
	text := os.Getenv("SNUG_PASSWORD")
	var err error
	switch {
	case file != "":
		text, err = firstLine(file, "password")
	case text == "":
		text, err = askSecretly(ctx, "password: ", "--password-file FILE")
	}
	if err == nil && strings.Trim(text, " \t-") == "" {
		err = usageErrorf("snug dial HOST:PORT --password", "there is no password in what was given")
	}
	return text, err
}

// hintOfSecret is where a secret in a file comes from.
var hintOfSecret = map[string]string{
	"password": ", which `snug listen --password` prints there",
	"token":    ", which `snug key token` prints there",
}

// firstLine reads the first line of a file that holds a secret.
func firstLine(file, noun string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", &client.Error{Code: client.Failed, Message: fmt.Sprintf("reading the %s: %v", noun, err), Hint: "the first line of that file has to be the " + noun + hintOfSecret[noun]}
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxPassphrase)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("reading the %s: %w", noun, err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}
