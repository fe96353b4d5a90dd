package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"snug/client"
	"snug/internal/ident"
	"snug/mtls"
)

// maxTokens bounds a file of tokens in bytes: ten thousand lines.
const maxTokens = 1 << 20

// A knownToken is a line of a file of tokens: a name, a space, and the token's hash.
type knownToken struct {
	name string
	hash ident.TokenHash
}

// readTokens reads a file of tokens. One that is not as we wrote it is refused whole.
func readTokens(path string) ([]knownToken, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the tokens: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxTokens+1))
	if err != nil {
		return nil, fmt.Errorf("reading the tokens: %w", err)
	}
	if len(text) > maxTokens {
		return nil, fmt.Errorf("%s: more than %d bytes", path, maxTokens)
	}
	var tokens []knownToken
	seen := make(map[string]bool)
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		name, hash, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		parsed, err := ident.ParseTokenHash(hash)
		if err != nil || seen[name] || !peerName.MatchString(name) {
			return nil, fmt.Errorf("%s, line %d: want a name, a space and what `snug key token` has written, each name once", path, n)
		}
		seen[name] = true
		tokens = append(tokens, knownToken{name, parsed})
	}
	return tokens, nil
}

// takeTokens lets in who shows a token of the file. It is read again for each: a line that is taken out lets nobody in.
func (a *admission) takeTokens(path string) error {
	if _, err := readTokens(path); err != nil {
		return &client.Error{Code: client.Failed, Message: err.Error(), Hint: "snug key token NAME " + path + " makes a token, and writes its hash there"}
	}
	a.protocol = tokenProtocol
	a.decide = func(_ context.Context, u *mtls.Unverified) (mtls.Fingerprint, error) {
		var shown [ident.TokenSize]byte
		if _, err := io.ReadFull(u, shown[:]); err != nil {
			return mtls.Fingerprint{}, fmt.Errorf("reading a token: %w", err)
		}
		tokens, err := readTokens(path)
		if err != nil {
			return mtls.Fingerprint{}, err
		}
		hash, name := ident.HashToken(ident.TokenFromBytes(shown)), ""
		for _, known := range tokens {
			// No early end: how long it takes does not tell which it was.
			if known.hash.Equal(hash) {
				name = known.name
			}
		}
		if name == "" {
			return mtls.Fingerprint{}, errors.New("an unknown token")
		}
		a.names.Store(arrival{u.RemoteAddr().String(), u.Peer().Fingerprint}, name)
		return u.Peer().Fingerprint, nil
	}
	return nil
}

// showToken shows a token to the peer that was named, and to nobody else.
func (a *admission) showToken(ctx context.Context, c *call, f *socketFlags) error {
	trust, err := f.peers.trust(ctx, c)
	if err != nil {
		return err
	}
	if a.identity, err = c.socketIdentity(); err != nil {
		return err
	}
	text, err := firstLine(f.tokenFile, "token")
	if err != nil {
		return err
	}
	token, err := ident.ParseToken(text)
	if err != nil {
		return usageErrorf("snug key token NAME FILE > "+f.tokenFile, "%s holds no token", f.tokenFile)
	}
	a.protocol = tokenProtocol
	a.decide = func(_ context.Context, u *mtls.Unverified) (mtls.Fingerprint, error) {
		peer := u.Peer().Fingerprint
		known := false
		for _, pin := range trust.Pins {
			known = peer.Equal(pin) || known
		}
		if !known {
			return mtls.Fingerprint{}, &mtls.PeerError{Rule: mtls.RuleKey, Expected: trust.Pins, Got: peer, Reason: "unknown key"}
		}
		shown := token.Bytes()
		if _, err := u.Write(shown[:]); err != nil {
			return mtls.Fingerprint{}, fmt.Errorf("showing the token: %w", err)
		}
		return peer, nil
	}
	return nil
}

func tokenFlags(set *flag.FlagSet) action {
	return func(_ context.Context, c *call) error { return makeToken(c, c.args[0], c.args[1]) }
}

// makeToken prints a new token, once, and keeps its hash.
func makeToken(c *call, name, path string) error {
	if !peerName.MatchString(name) {
		return usageErrorf("snug "+c.verb.example, "%q is no name for a token: at most 32 of a-z, 0-9, dot, dash and underscore", name)
	}
	token, err := ident.NewToken(ident.Random())
	if err != nil {
		return err
	}
	err = locked(path, func() error {
		tokens, err := readTokens(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		var text strings.Builder
		for _, known := range append(tokens, knownToken{name, ident.HashToken(token)}) {
			if known.name == name && known.hash != ident.HashToken(token) {
				return &client.Error{Code: client.Refused, Message: fmt.Sprintf("%s has a token of the name %s already", path, name),
					Hint: "take its line out of the file to have it let nobody in any more, or choose another name"}
			}
			fmt.Fprintf(&text, "%s %s\n", known.name, known.hash)
		}
		return writeFile(path, []byte(text.String()))
	})
	if err != nil {
		return err
	}
	object := struct {
		Name  string `json:"name"`
		Token string `json:"token"`
	}{name, token.Secret()}
	if !c.json {
		c.say("the token is a secret, and shown this once: snug dial HOST:PORT --peer FINGERPRINT --token-file FILE")
	}
	return c.print(object, "%s", object.Token)
}
