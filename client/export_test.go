package client

import "snug/internal/ident"

// StretchCheaply makes passphrases cost next to nothing, so that many accounts can sign in.
func (c *Client) StretchCheaply() {
	c.stretch = ident.DerivePassphraseKeysInsecure
	c.params = func() ident.PassphraseParams { return ident.PassphraseParams{MemoryKiB: 8, Passes: 1, Lanes: 1} }
}
