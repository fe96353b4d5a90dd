package testkit

import (
	"bytes"
	"fmt"
	"slices"
	"sort"

	"snug/internal/ident"
	"snug/internal/wire"
)

type modelAccount struct {
	chain        *ident.Chain
	auth, salt   []byte
	argon2       *wire.Argon2Parameters
	vault        []byte
	registration []byte // the request, to know it again
	archive      ModelArchive
}

func (a *modelAccount) id() []byte { return a.chain.Account().Bytes() }

type modelPackages struct {
	oneTime    [][]byte
	lastResort []byte
}

func (m *Model) accountOf(handle string) *modelAccount {
	for _, a := range m.accounts {
		if a.chain.Handle().String() == handle {
			return a
		}
	}
	return nil
}

func (m *Model) accountByID(id []byte) *modelAccount {
	for _, a := range m.accounts {
		if bytes.Equal(a.id(), id) {
			return a
		}
	}
	return nil
}

func (s *Session) loginParameters(r *wire.GetLoginParameters) *wire.ServerFrame {
	a := s.model.accountOf(r.Handle)
	parameters := &wire.LoginParameters{Salt: make([]byte, 16), Argon2: &wire.Argon2Parameters{MemoryKib: 65536, Passes: 3, Lanes: 1}}
	if a != nil {
		parameters.Salt, parameters.Argon2 = a.salt, a.argon2
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_LoginParameters{LoginParameters: parameters}}
}

// proves reports whether the connection proves the key of the chain's newest device.
func (s *Session) proves(chain *ident.Chain, signature []byte) (ident.DeviceID, bool) {
	devices := chain.Devices()
	if len(devices) == 0 {
		return ident.DeviceID{}, false
	}
	if s.key != nil {
		id := ident.NewDeviceID(chain.Account(), *s.key)
		_, ok := chain.Device(id)
		return id, ok
	}
	for _, d := range devices {
		login := ident.Login{Server: s.model.serverID(), Nonce: s.nonce, Account: chain.Account(), Device: d.ID}
		if ident.VerifyLogin(d.Key, login, signature) == nil {
			return d.ID, true
		}
	}
	return ident.DeviceID{}, false
}

func (s *Session) register(r *wire.Register) *wire.ServerFrame {
	chain, err := ident.ParseChain(r.Chain)
	if err != nil || chain.Handle().String() != r.Handle {
		return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "the chain is not the handle's")
	}
	device, ok := s.proves(chain, r.Signature)
	if !ok {
		return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "the device is not proven")
	}
	a := s.model.accountOf(r.Handle)
	if a != nil && !bytes.Equal(a.registration, r.Chain) {
		return fault(wire.ErrorCode_ERROR_CODE_HANDLE_TAKEN, "the handle is taken")
	}
	if a == nil {
		if len(s.model.accounts) > 0 && r.Invite != "" && !s.model.invites[r.Invite] {
			return fault(wire.ErrorCode_ERROR_CODE_INVITE_INVALID, "the invite was used")
		}
		delete(s.model.invites, r.Invite)
		a = &modelAccount{chain: chain, auth: r.AuthKey, salt: r.Salt, argon2: r.Argon2, vault: r.Vault, registration: r.Chain}
		s.model.accounts = append(s.model.accounts, a)
		s.model.packages[device] = &modelPackages{r.KeyPackages, r.LastResortKeyPackage}
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Registered{Registered: &wire.Registered{Authenticated: s.become(a, device), Owner: a == s.model.accounts[0]}}}
}

func (s *Session) login(r *wire.Login) *wire.ServerFrame {
	a := s.model.accountOf(r.Handle)
	if a == nil || !bytes.Equal(a.auth, r.AuthKey) {
		return fault(wire.ErrorCode_ERROR_CODE_CREDENTIALS, "unknown handle or wrong passphrase")
	}
	s.loggedIn = a
	return &wire.ServerFrame{Body: &wire.ServerFrame_LoggedIn{LoggedIn: &wire.LoggedIn{Account: a.id(), Chain: a.chain.Marshal(), Vault: a.vault}}}
}

func (s *Session) changePassphrase(r *wire.ChangePassphrase) *wire.ServerFrame {
	a := s.account
	if bytes.Equal(a.vault, r.Vault) && bytes.Equal(a.auth, r.AuthKey) {
		return modelDone()
	}
	revision := uint32(0)
	if before, err := ident.ParseVault(a.vault); err == nil {
		revision = before.Revision()
	}
	after, err := ident.ParseVault(r.Vault)
	if err != nil || after.Account() != a.chain.Account() {
		return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "no vault of this account")
	}
	if after.Revision() != revision+1 {
		return fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "the passphrase was changed on another device meanwhile")
	}
	a.auth, a.salt, a.argon2, a.vault = r.AuthKey, r.Salt, r.Argon2, r.Vault
	return modelDone()
}

func (s *Session) enrol(r *wire.EnrolDevice) *wire.ServerFrame {
	chain, err := ident.ParseChain(r.Chain)
	if err != nil || s.loggedIn == nil {
		return fault(wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, "log in first")
	}
	a := s.loggedIn
	if chain.Extends(a.chain) != nil || chain.Len() > a.chain.Len()+1 {
		return fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "the chain has grown")
	}
	device, ok := s.proves(chain, r.Signature)
	if !ok {
		return fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "the device is not proven")
	}
	grown := chain.Len() > a.chain.Len()
	a.chain = chain
	s.model.packages[device] = &modelPackages{r.KeyPackages, r.LastResortKeyPackage}
	answer := &wire.ServerFrame{Body: &wire.ServerFrame_Authenticated{Authenticated: s.become(a, device)}}
	if grown {
		s.model.chainGrew(a)
	}
	return answer
}

func (s *Session) authenticate(r *wire.Authenticate) *wire.ServerFrame {
	a := s.model.accountByID(r.Account)
	if a == nil {
		return fault(wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, "no such account")
	}
	for _, d := range a.chain.Devices() {
		login := ident.Login{Server: s.model.serverID(), Nonce: s.nonce, Account: a.chain.Account(), Device: d.ID}
		if bytes.Equal(d.ID[:], r.Device) && ident.VerifyLogin(d.Key, login, r.Signature) == nil {
			return &wire.ServerFrame{Body: &wire.ServerFrame_Authenticated{Authenticated: s.become(a, d.ID)}}
		}
	}
	if d, ever := a.chain.EverEnrolled(ident.DeviceID(r.Device)); ever && d.Revoked {
		s.tellRevoked(a)
	}
	return fault(wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, "the device is not enrolled")
}

// tellRevoked shows a revoked device the chain that says so.
func (s *Session) tellRevoked(a *modelAccount) {
	s.send(&wire.ServerFrame{Body: &wire.ServerFrame_Chain{Chain: &wire.ChainEvent{Account: a.id(), Chain: a.chain.Marshal()}}})
}

// chainGrew tells the account's devices and those that share a room with it.
func (m *Model) chainGrew(a *modelAccount) {
	for _, s := range m.sessions {
		if s.account == nil || !(s.account == a || m.shareRoom(s.account, a)) {
			continue
		}
		s.send(&wire.ServerFrame{Body: &wire.ServerFrame_Chain{Chain: &wire.ChainEvent{Account: a.id(), Chain: a.chain.Marshal()}}})
	}
}

func (s *Session) listAccounts(r *wire.ListAccounts) *wire.ServerFrame {
	accounts := new(wire.Accounts)
	for _, a := range s.model.accounts {
		handle := a.chain.Handle().String()
		if handle > r.After && (r.Handle == "" || r.Handle == handle) {
			accounts.Accounts = append(accounts.Accounts, &wire.Account{Account: a.id(), Handle: handle, Online: s.model.online(a)})
		}
	}
	sort.Slice(accounts.Accounts, func(i, j int) bool { return accounts.Accounts[i].Handle < accounts.Accounts[j].Handle })
	if len(accounts.Accounts) > 2 { // small pages, so that tests turn them
		accounts.Accounts, accounts.More = accounts.Accounts[:2], true
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Accounts{Accounts: accounts}}
}

func (m *Model) online(a *modelAccount) bool {
	for _, s := range m.sessions {
		if s.account == a {
			return true
		}
	}
	return false
}

func (s *Session) getChains(r *wire.GetChains) *wire.ServerFrame {
	chains := new(wire.Chains)
	for _, id := range r.Accounts {
		if a := s.model.accountByID(id); a != nil && len(chains.Chains) < 3 { // cut short, so that tests ask again
			chains.Chains = append(chains.Chains, &wire.AccountChain{Account: id, Chain: a.chain.Marshal()})
		}
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Chains{Chains: chains}}
}

func (s *Session) invite() *wire.ServerFrame {
	s.model.counter++
	code := fmt.Sprintf("invite-%d", s.model.counter)
	s.model.invites[code] = true
	return &wire.ServerFrame{Body: &wire.ServerFrame_Invite{Invite: &wire.Invite{Code: code, ExpiresAt: s.model.Now().UnixMilli()}}}
}

func (s *Session) putPackages(r *wire.PutKeyPackages) *wire.ServerFrame {
	p := s.model.packages[s.device]
	if r.Replace {
		p.oneTime = nil
	}
	p.oneTime = append(p.oneTime, r.KeyPackages...)
	if len(r.LastResortKeyPackage) > 0 {
		p.lastResort = r.LastResortKeyPackage
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_KeyPackages{KeyPackages: &wire.KeyPackages{Remaining: uint32(len(p.oneTime))}}}
}

func (s *Session) claimPackages(r *wire.ClaimKeyPackages) *wire.ServerFrame {
	answer := new(wire.KeyPackages)
	for _, a := range s.model.accounts {
		for _, d := range a.chain.Devices() {
			p := s.model.packages[d.ID]
			if p == nil || !containsBytes(r.Accounts, a.id()) && !containsBytes(r.Devices, d.ID[:]) {
				continue
			}
			keyPackage := p.lastResort
			if len(p.oneTime) > 0 {
				keyPackage, p.oneTime = p.oneTime[0], p.oneTime[1:]
			}
			answer.KeyPackages = append(answer.KeyPackages, &wire.KeyPackage{Account: a.id(), Device: d.ID.Bytes(), KeyPackage: keyPackage})
		}
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_KeyPackages{KeyPackages: answer}}
}

func containsBytes(all [][]byte, b []byte) bool {
	for _, other := range all {
		if bytes.Equal(other, b) {
			return true
		}
	}
	return false
}

// changeChain takes a chain that revokes or renames a device, and hangs up on what is revoked.
func (s *Session) changeChain(b []byte) *wire.ServerFrame {
	chain, err := ident.ParseChain(b)
	if err != nil || chain.Extends(s.account.chain) != nil || chain.Len() > s.account.chain.Len()+1 {
		return fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "the chain has grown")
	}
	s.account.chain = chain
	for id := range s.model.packages {
		if _, ever := chain.EverEnrolled(id); ever {
			if _, now := chain.Device(id); !now {
				delete(s.model.packages, id)
			}
		}
	}
	s.model.chainGrew(s.account)
	for _, other := range slices.Clone(s.model.sessions) {
		if _, now := chain.Device(other.device); other != s && other.account == s.account && !now {
			other.Close()
			if s.model.OnFrame != nil {
				s.model.OnFrame(other)
			}
		}
	}
	return modelDone()
}
