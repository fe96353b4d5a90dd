package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"snug/client"
	"snug/internal/ident"
	"snug/mtls"
)

// askPerson has a person decide about peers of whom nothing is known.
func (a *admission) askPerson(c *call, f *socketFlags) error {
	hint := "snug " + c.verb.name + " " + c.args[0] + " --peer FINGERPRINT"
	const problem = "%s: who may it be? --peer takes what `snug key show` prints on the other side, --password a word for once"
	if c.json {
		return usageErrorf(hint, problem+"; with --json nobody is asked", c.verb.name)
	}
	file, err := openTerminal()
	if err != nil {
		return usageErrorf(hint, problem+"; there is no terminal to ask on", c.verb.name)
	}
	tty := &terminal{File: file}
	a.end = func() { tty.Close() }
	a.patience = askPatience
	slot := make(chan struct{}, 1)
	a.decide = func(ctx context.Context, u *mtls.Unverified) (mtls.Fingerprint, error) {
		select {
		case slot <- struct{}{}:
			defer func() { <-slot }()
			return a.ask(ctx, c, tty, u, f.remember)
		default:
			return mtls.Fingerprint{}, errors.New("somebody else is being asked about")
		}
	}
	return nil
}

// ask shows both keys, asks whether the peer's is the right one, and remembers it under a name.
func (a *admission) ask(ctx context.Context, c *call, tty *terminal, u *mtls.Unverified, name string) (mtls.Fingerprint, error) {
	peer, ours := u.Peer().Fingerprint, a.ours()
	known := c.nameOf(peer)
	var text strings.Builder
	who := "Nobody here knows who is"
	if known != "" {
		who = "The key of " + known + " is what is shown"
	}
	fmt.Fprintf(&text, "\n%s at %s.\n\n", who, u.RemoteAddr())
	fmt.Fprint(&text, keyText("its key ", peer), keyText("your key", ours))
	if a.words {
		words, err := a.sessionWords(u, peer, u.Dialed())
		if err != nil {
			return mtls.Fingerprint{}, err
		}
		fmt.Fprintf(&text, "  both see  %s\n\n", words)
	}
	fmt.Fprint(&text, "Have the other side read its key to you by a way that you trust: on the telephone, face to face.\n"+
		"Whoever sits in between shows another one. Is this its key, all of it?\n"+
		"Type yes, or its four words; anything else refuses: ")
	answer, err := tty.ask(ctx, text.String())
	if err != nil {
		return mtls.Fingerprint{}, err
	}
	if answer = normal(answer); answer != "yes" && answer != ident.TellApart(peer) {
		return mtls.Fingerprint{}, &client.Error{Code: client.Refused, Message: "the peer was not accepted, nor remembered",
			Hint: "if its key is another one than it should be, somebody may be in between"}
	}
	if known == "" {
		if err := c.nameFor(ctx, tty, peer, name); err != nil {
			return mtls.Fingerprint{}, err
		}
	}
	fmt.Fprintln(tty, "Waiting for the other side to do the same.")
	return peer, nil
}

// nameFor remembers the peer under the name, or under one that is asked for.
func (c *call) nameFor(ctx context.Context, tty *terminal, peer mtls.Fingerprint, name string) error {
	for name == "" {
		typed, err := tty.ask(ctx, "A name to remember it by, for --peer; just Enter for none: ")
		if err != nil {
			return err
		}
		if typed = normal(typed); typed == "" {
			return nil
		}
		if peerName.MatchString(typed) {
			name = typed
			break
		}
		fmt.Fprintln(tty, "A name has at most 32 of a-z, 0-9, dot, dash and underscore.")
	}
	return c.rememberAs(name, peer)
}

// keyText is a key as people compare it: sixty digits in three lines, and four words.
func keyText(title string, key mtls.Fingerprint) string {
	groups := strings.Fields(ident.Digits(key))
	var text strings.Builder
	for i := 0; i < len(groups); i += 4 {
		fmt.Fprintf(&text, "  %-8s  %s\n", title, strings.Join(groups[i:i+4], " "))
		title = ""
	}
	fmt.Fprintf(&text, "  %-8s  %s\n\n", "", ident.TellApart(key))
	return text.String()
}

// normal is a line as it was meant.
func normal(line string) string { return strings.ToLower(strings.Join(strings.Fields(line), " ")) }
