package client

import (
	"errors"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// The limits and delays of the client.
const (
	// backoffFirst is the first delay before a connection is tried again: short, as most ends are a server's restart.
	backoffFirst = 200 * time.Millisecond
	// backoffMost bounds the delay, so that nobody waits long for a server that is back.
	backoffMost = 30 * time.Second
	// requestTimeout is how long an answer may take before the connection is taken for dead.
	requestTimeout = 30 * time.Second
	// maxUnderWay bounds the unanswered requests of a connection, under wire.MaxPending.
	maxUnderWay = 200
	// maxSubmits bounds a room's messages that are sent and not acknowledged: enough to hide a round trip.
	maxSubmits = 16
	// settleTime is how long verbs wait after connecting for Welcomes that the server's list of rooms promises.
	settleTime = 2 * time.Second
	// commitJitter spreads the members that could all make the same commit: the first one to do it spares the others.
	commitJitter = 1500 * time.Millisecond
	// packagesWanted is how many one-time key packages the server should have of this device, packagesLow when to
	// bring more.
	packagesWanted, packagesLow = 20, 10
	// packageLifetime is how long a key package may be used.
	packageLifetime = 90 * 24 * time.Hour
	// longestLifetime is the most that a leaf may have; all clients must agree on it. A day more than packageLifetime, which
	// begins a day early.
	longestLifetime = packageLifetime + 24*time.Hour
)

// phase is how far a connection has come.
type phase int

const (
	offline phase = iota
	dialing
	greeting // Hello is sent
	greeted  // the server may be asked what needs no account
	ready    // the connection acts for this device
)

// connection is the state of the one connection.
type connection struct {
	phase    phase
	attempts int
	retryAt  time.Time
	readyAt  time.Time
	spoke    time.Time // when the last frame was sent
	problem  string
	draining bool
	serverID [32]byte
	nonce    [32]byte
	// refused says that the last attempt was turned away, by the server or because it is not the right one.
	refused bool
	// tried says that a first attempt to connect has ended, either way: since this process began, or lost a connection.
	tried bool
	// listed says that the server's list of rooms has come, settleBy until when promised Welcomes are waited for.
	listed   bool
	settleBy time.Time
	// countAt is when this device looks after its key packages next.
	countAt time.Time
	// vaultAt is when it asks for the account's vault next.
	vaultAt time.Time
}

func (c *Core) online() bool { return c.vol.connection.phase == ready && !c.vol.connection.draining }

// settled reports whether what the server would tell at once has been told, or cannot be.
func (c *Core) settled() bool {
	k := &c.vol.connection
	if k.phase < ready {
		return k.tried
	}
	if !k.listed {
		return false
	}
	if !c.now.Before(k.settleBy) {
		return true
	}
	if len(c.vol.welcomes) > 0 || c.asking(chainsName) || c.asking(outsideChains) || c.asking(vaultName) || c.restartsPending() {
		return false
	}
	for id, log := range c.vol.logs {
		if r := c.mem.rooms[id]; log.joined && (r == nil || r.status != joined) {
			return false
		}
	}
	return true
}

func (c *Core) advanceConnection() {
	k := &c.vol.connection
	if k.phase == offline && c.wantsConnection() && !c.now.Before(k.retryAt) {
		k.phase = dialing
		c.out.dial = true
	}
	if k.phase < greeting {
		return
	}
	for _, r := range c.vol.requests {
		if r.sent && c.now.Sub(r.sentAt) >= requestTimeout {
			c.hangUp("the server does not answer", c.now)
			return
		}
	}
	if k.phase == ready && !c.now.Before(k.countAt) {
		c.countKeyPackages()
	}
	if k.phase == ready && !c.now.Before(k.vaultAt) {
		c.followVault()
	}
	if k.phase >= greeted && c.now.Sub(k.spoke) >= wire.PingEvery {
		c.ask(request{name: "ping", needs: greeted, frame: &wire.ClientFrame{Body: &wire.ClientFrame_Ping{Ping: &wire.Ping{}}},
			then: func(*Core, *wire.ServerFrame) {}})
	}
}

// wantsConnection reports whether there is anything to ask a server for.
func (c *Core) wantsConnection() bool {
	return c.mem.account != nil || len(c.vol.requests) > 0 || c.linking()
}

// connected begins a connection with Hello.
func (c *Core) connected() {
	k := &c.vol.connection
	k.phase, k.draining, k.listed = greeting, false, false
	c.missedRenewals()
	hello := &wire.Hello{Versions: []uint32{wire.Version}, Agent: c.cfg.agent}
	c.ask(request{name: "hello", needs: greeting, frame: &wire.ClientFrame{Body: &wire.ClientFrame_Hello{Hello: hello}},
		then: (*Core).greeted, refused: func(c *Core, e *wire.Error) { c.connectionRefused(serverError(e)) }})
}

func (c *Core) greeted(reply *wire.ServerFrame) {
	k := &c.vol.connection
	hello := reply.GetHello()
	if hello == nil || len(hello.ServerId) != 32 || len(hello.Nonce) != 32 || hello.Version != wire.Version {
		c.connectionRefused(errProtocol)
		return
	}
	k.phase = greeted
	k.serverID, k.nonce = [32]byte(hello.ServerId), [32]byte(hello.Nonce)
	switch {
	case c.mem.account == nil:
		// Nobody is signed in, so that this is no being online; who is signing in wants to hear that it goes on.
		if k.problem != "" {
			k.problem = ""
			c.emit(ConnectionChanged{})
		}
		c.attachLink()
	case hello.Authenticated != nil:
		c.authenticated(hello.Authenticated)
	case c.cfg.provesDevice:
		c.connectionRefused(refuse(Refused, "it may have been revoked: sign in again", "the server does not know this device"))
	default:
		c.authenticate()
	}
}

// loginSignature proves the device's key to this connection; nil where TLS has done so.
func (c *Core) loginSignature(account ident.AccountID) []byte {
	if c.cfg.provesDevice {
		return nil
	}
	return ident.SignLogin(c.mem.key, ident.Login{
		Server: c.vol.connection.serverID, Nonce: c.vol.connection.nonce,
		Account: account, Device: ident.NewDeviceID(account, c.mem.key.Public()),
	})
}

func (c *Core) authenticate() {
	me := c.mem.account.me
	body := &wire.Authenticate{Account: me.Account[:], Device: me.Device[:], Signature: c.loginSignature(me.Account)}
	c.ask(request{name: "authenticate", needs: greeted, frame: &wire.ClientFrame{Body: &wire.ClientFrame_Authenticate{Authenticate: body}},
		then:    func(c *Core, reply *wire.ServerFrame) { c.authenticated(reply.GetAuthenticated()) },
		refused: func(c *Core, e *wire.Error) { c.connectionRefused(serverError(e)) }})
}

// authenticated makes the connection ready, if the server takes it for whom we are.
func (c *Core) authenticated(a *wire.Authenticated) {
	me := &c.mem.account.me
	if a == nil || string(a.Account) != string(me.Account[:]) || string(a.Device) != string(me.Device[:]) {
		c.connectionRefused(refuse(Refused, "", "the server takes this device for another"))
		return
	}
	if me.Owner != a.Owner {
		me.Owner = a.Owner
		c.put(keyAccount, c.mem.account.encode())
	}
	k := &c.vol.connection
	k.phase, k.readyAt, k.problem, k.tried = ready, c.now, "", true
	c.emit(ConnectionChanged{Online: true})
	c.sync()
}

// connectionRefused ends a connection that is of no use, and tells everybody who waits for it.
func (c *Core) connectionRefused(err *Error) {
	c.hangUp(err.Message, c.now.Add(backoffMost))
	c.vol.connection.refused = true
	if c.logoutUnderWay() {
		// The revocation was carried out and its answer lost: this device is nobody's any more.
		c.signOut("this device was signed out")
		return
	}
	c.failCalls(err)
}

// disconnected is told when the connection has ended, or could not be made.
func (c *Core) disconnected(err error) {
	var refusal *Error
	if errors.As(err, &refusal) && refusal.Code == Refused {
		c.connectionRefused(refusal)
		return
	}
	problem := "the connection has ended"
	if err != nil {
		problem = err.Error()
	}
	c.hangUp(problem, c.now)
}

// hangUp ends the connection, which is tried again at earliest or after the usual delay, whichever is later.
func (c *Core) hangUp(problem string, earliest time.Time) {
	k := &c.vol.connection
	if k.phase >= greeting {
		c.out.hangUp = true
	}
	if k.phase == ready && c.now.Sub(k.readyAt) > 10*time.Second {
		k.attempts = 0
	}
	delay := backoffMost
	if k.attempts < 8 {
		delay = min(backoffMost, backoffFirst<<k.attempts)
	}
	k.attempts++
	k.retryAt = c.now.Add(c.jitter(delay))
	if earliest.After(k.retryAt) {
		k.retryAt = earliest
	}
	// Whoever asks while a connection that was there is made anew waits for that.
	k.tried = k.phase != ready
	k.phase, k.problem, k.refused = offline, problem, false
	c.detachLink()
	c.dropConnectionRequests()
	c.vol.logs = make(map[ident.RoomID]serverLog)
	c.vol.knocks = nil
	c.vol.submitAt = make(map[ident.RoomID]time.Time)
	c.vol.archive = newArchiveState()
	c.emit(ConnectionChanged{Problem: problem, RetryAt: k.retryAt})
}

// received takes one frame of the server. A frame that does not parse ends the connection: nothing after it can be
// trusted to be what it seems.
func (c *Core) received(b []byte) {
	frame := new(wire.ServerFrame)
	if c.vol.connection.phase < greeting {
		return
	}
	if err := frame.UnmarshalVT(b); err != nil {
		c.hangUp("the server sent a frame that does not parse", c.now)
		return
	}
	if frame.Id != 0 {
		c.answered(frame)
		return
	}
	if body, ok := frame.Body.(*wire.ServerFrame_Link); ok {
		c.receivedLink(body.Link)
		return
	}
	if c.mem.account == nil {
		return
	}
	switch body := frame.Body.(type) {
	case *wire.ServerFrame_Entries:
		c.receivedEntries(body.Entries)
	case *wire.ServerFrame_Welcome:
		c.receivedWelcome(body.Welcome)
	case *wire.ServerFrame_Chain:
		c.receivedChain(body.Chain.Account, body.Chain.Chain, 0)
	case *wire.ServerFrame_AccountsChanged:
		c.emit(AccountsChanged{})
	case *wire.ServerFrame_ArchiveChanged:
		c.archiveChanged(body.ArchiveChanged.GetRevision())
	case *wire.ServerFrame_RoomChanged:
		c.listedRoom(body.RoomChanged.Room)
	case *wire.ServerFrame_Knock:
		c.receivedKnock(body.Knock)
	case *wire.ServerFrame_Draining:
		c.vol.connection.draining = true
	}
}

// sync brings a fresh connection up to date: rooms, people, chains, key packages, and what was
// begun before it.
func (c *Core) sync() {
	c.listRooms(nil)
	c.ask(request{name: "watch", needs: ready, frame: &wire.ClientFrame{Body: &wire.ClientFrame_WatchAccounts{WatchAccounts: &wire.WatchAccounts{}}},
		then: func(*Core, *wire.ServerFrame) {}, refused: func(*Core, *wire.Error) {}})
	c.refreshChains()
	c.countKeyPackages()
	c.followVault()
	c.resumeChange()
	c.followArchive()
	c.attachLink()
}

// nextWake is when the next thing falls due that no frame announces.
func (c *Core) nextWake() time.Time {
	var wake time.Time
	sooner := func(t time.Time) {
		if t.After(c.now) && (wake.IsZero() || t.Before(wake)) {
			wake = t
		}
	}
	k := c.vol.connection
	if k.phase == offline && c.wantsConnection() {
		sooner(k.retryAt)
	}
	if k.phase >= greeted {
		sooner(k.spoke.Add(wire.PingEvery))
		if len(c.vol.waits) > 0 {
			sooner(k.settleBy)
		}
	}
	if k.phase == ready {
		sooner(k.countAt)
		sooner(k.vaultAt)
	}
	for _, r := range c.vol.requests {
		if r.sent {
			sooner(r.sentAt.Add(requestTimeout))
		}
	}
	for _, k := range c.mem.knocking {
		if k.doubts > 0 {
			sooner(k.again)
		}
	}
	for _, t := range c.vol.commitAt {
		sooner(t)
	}
	for _, t := range c.vol.submitAt {
		sooner(t)
	}
	for _, planned := range c.vol.renewals {
		sooner(planned.at)
	}
	for _, t := range c.vol.archive.at {
		sooner(t)
	}
	return wake
}
