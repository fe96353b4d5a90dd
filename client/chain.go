package client

import (
	"errors"
	"fmt"

	"snug/internal/ident"
	"snug/internal/wire"
)

// chain gives the longest chain of an account that this device has seen, or nil.
func (c *Core) chain(account ident.AccountID) *ident.Chain {
	if chain, ok := c.mem.chains[account]; ok {
		return chain
	}
	b := c.get(keyChain(account))
	if b == nil {
		return nil
	}
	chain, err := ident.ParseChain(b)
	if err != nil {
		c.fail(failed("reading a chain", err))
		return nil
	}
	c.mem.chains[account] = chain
	return chain
}

// handle gives what the account calls itself, or the beginning of its id where its chain is not known.
func (c *Core) handle(account ident.AccountID) string {
	if chain := c.chain(account); chain != nil {
		return chain.Handle().String()
	}
	return account.String()[:8]
}

// learnChain takes a chain that the server has shown. It may only continue the one that was seen before: an older or a
// forked one is evidence against the server, or against the holder of the identity key, and is refused. No evidence is the
// beginning of a chain that was only seen to be longer after the server had spoken, which another process may have: since
// is how many statements it can have known at least.
func (c *Core) learnChain(account ident.AccountID, b []byte, since int) error {
	chain, err := ident.ParseChain(b)
	if err != nil {
		return err
	}
	if chain.Account() != account {
		return fmt.Errorf("client: the chain of another account was shown")
	}
	old := c.chain(account)
	if old != nil {
		if chain.Len() < old.Len() && chain.Len() >= since && old.Extends(chain) == nil {
			return nil
		}
		if err := chain.Extends(old); err != nil {
			c.accuse(account, err)
			return err
		}
		if chain.Len() == old.Len() {
			return nil
		}
	}
	c.setChain(chain)
	if c.mem.account != nil && (old == nil || old.Handle() != chain.Handle()) {
		c.meet(chain)
	}
	return nil
}

// setChain stores a chain and looks again at the rooms of its account.
func (c *Core) setChain(chain *ident.Chain) {
	account := chain.Account()
	c.mem.chains[account] = chain
	c.put(keyChain(account), chain.Marshal())
	for _, id := range c.mem.order {
		c.mem.rooms[id].replan = true
	}
	a := c.mem.account
	if a == nil || account != a.me.Account {
		return
	}
	if d, ok := chain.EverEnrolled(a.me.Device); ok && d.Revoked {
		c.signOut("this device was revoked")
		return
	}
	c.reviewChain()
}

// accuse tells the rooms of an account that its chain was shown rolled back or forked.
func (c *Core) accuse(account ident.AccountID, err error) {
	for _, id := range c.mem.order {
		r := c.mem.rooms[id]
		if r.kind != Sealed || r.status != joined {
			continue
		}
		if _, member := c.roster(r).role(account); member {
			r.setProblem("the server shows a false history of " + c.handle(account) + "'s devices: " + conflictWord(err))
		}
	}
}

func conflictWord(err error) string {
	var conflict *ident.ConflictError
	if errors.As(err, &conflict) {
		return conflict.Kind.String()
	}
	return "not to be verified"
}

// receivedChain takes a chain that the server has told of; since is learnChain's.
func (c *Core) receivedChain(account, chain []byte, since int) {
	id, err := ident.AccountIDFromBytes(account)
	if err == nil {
		err = c.learnChain(id, chain, since)
	}
	if err != nil {
		c.cfg.log.Warn("refused a chain", "account", id, "error", err)
	}
}

// fetchChains asks for the newest chains of accounts, in as many requests as that takes, and goes on with then. What an
// account's chain was refused for shows when it is needed.
func (c *Core) fetchChains(name string, accounts []ident.AccountID, then func(c *Core)) {
	page := accounts[:min(len(accounts), wire.MaxAccounts)]
	body := new(wire.GetChains)
	known := make(map[ident.AccountID]int, len(page))
	for _, account := range page {
		body.Accounts = append(body.Accounts, account.Bytes())
		if chain := c.chain(account); chain != nil {
			known[account] = chain.Len()
		}
	}
	c.ask(request{name: name, needs: ready, sticky: true,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_GetChains{GetChains: body}},
		then: func(c *Core, reply *wire.ServerFrame) {
			rest := c.learnChains(reply.GetChains(), accounts, known)
			if len(rest) > 0 && len(rest) < len(accounts) {
				c.fetchChains(name, rest, then)
				return
			}
			then(c)
		},
		refused: func(c *Core, _ *wire.Error) { then(c) }})
}

// learnChains takes an answer and gives the accounts that come after the last one in it: the answer may be cut short,
// and leaves out accounts that do not exist. known is how long the chains were when this device asked.
func (c *Core) learnChains(chains *wire.Chains, asked []ident.AccountID, known map[ident.AccountID]int) (rest []ident.AccountID) {
	if chains == nil || len(chains.Chains) == 0 {
		return nil
	}
	for _, ac := range chains.Chains {
		id, _ := ident.AccountIDFromBytes(ac.Account)
		c.receivedChain(ac.Account, ac.Chain, known[id])
		if c.mem.account == nil {
			return nil
		}
	}
	last := string(chains.Chains[len(chains.Chains)-1].Account)
	for i, account := range asked {
		if string(account[:]) == last {
			return asked[i+1:]
		}
	}
	return nil
}

// chainsName names the request by which this device catches up with the chains of those that it knows.
const chainsName = "chains"

// refreshChains asks for the chains of everybody in the sealed rooms: devices may have come and gone meanwhile.
func (c *Core) refreshChains() {
	seen := map[ident.AccountID]bool{c.mem.account.me.Account: true}
	accounts := []ident.AccountID{c.mem.account.me.Account}
	for _, id := range c.mem.order {
		r := c.mem.rooms[id]
		if r.kind != Sealed || r.status != joined {
			continue
		}
		for _, m := range c.roster(r).members {
			if !seen[m.account] {
				seen[m.account] = true
				accounts = append(accounts, m.account)
			}
		}
	}
	c.fetchChains(chainsName, accounts, func(*Core) {})
}
