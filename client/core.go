package client

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// coreConfig is what a core is made of.
type coreConfig struct {
	rand         io.Reader
	agent        string
	provesDevice bool
	log          Logger
	// requests is how many rooms are followed that wait to be accepted; maxRequests where it is 0.
	requests int
}

// Core is the state machine: Step turns one input into one output. What it knows is of two kinds. memory is a cache of
// the store, and may be dropped at any time. volatile is what no store keeps: the connection, the requests under way, who
// waits for what. A step that could not be committed is taken back with rollback, and leaves no trace.
//
// Continuations of requests and waits hold ids, never state: by the time they run, the state may have been loaded anew.
type Core struct {
	cfg    coreConfig
	mem    *memory
	vol    volatile
	before volatile // as it was when the step began
	*step
}

// An input is one thing that happened.
type input interface{ input() }

type (
	// inputTick is the passing of time.
	inputTick struct{}
	// inputConnected is a new connection.
	inputConnected struct{}
	// inputDisconnected is the end of the connection, or a dial that failed.
	inputDisconnected struct{ err error }
	// inputFrame is a frame of the server.
	inputFrame struct{ frame []byte }
	// inputCall is a verb: begin does what can be done at once, and sees to it that call is replied to some time.
	inputCall struct {
		call  uint64
		begin func(c *Core, call uint64)
	}
	// inputCancel says that nobody waits for the call any more; it is replied to with what has come of it.
	inputCancel struct{ call uint64 }
	// inputForeign says that somebody else has written to the store.
	inputForeign struct{}
)

func (inputTick) input()         {}
func (inputConnected) input()    {}
func (inputDisconnected) input() {}
func (inputFrame) input()        {}
func (inputCall) input()         {}
func (inputCancel) input()       {}
func (inputForeign) input()      {}

// volatile is what is not stored. Its maps are cloned when a step begins, so their values are never changed in place.
type volatile struct {
	connection connection
	nextID     uint64
	requests   map[uint64]request
	named      map[string]uint64
	waits      []wait
	// told are the calls for which the server was asked to change something.
	told map[uint64]bool
	// shown is up to where MessageChanged was emitted, per room.
	shown map[ident.RoomID]uint64
	// logs is what is known of the server's side of each room.
	logs map[ident.RoomID]serverLog
	// blocked holds what a room's next entry or Welcome waits for.
	blocked map[ident.RoomID]blocked
	// welcomes are those that are not taken yet.
	welcomes map[ident.RoomID]*wire.WelcomeEvent
	// packages are claimed key packages by device; an empty one says that the device had none.
	packages map[ident.DeviceID]claimed
	// differing are the rooms of which a member has last shown another history.
	differing map[ident.RoomID]differing
	// commitAt and submitAt are the earliest times of the room's next commit and next Submit.
	commitAt, submitAt map[ident.RoomID]time.Time
	// knocks are letters of who asks to be let into this device's rooms.
	knocks []heardKnock
	// renewals are when this device renews its keys of a room by itself.
	renewals map[ident.RoomID]renewal
	// begun says that the store was read once: from then on, what appears in it is news.
	begun bool
	// shownAs is the device that events have been about so far; zero while nobody was signed in.
	shownAs ident.DeviceID
	// alertsShown is what Alerts gave when AlertsChanged was last told.
	alertsShown string
	// link is the device being linked, from either end; nil where none is. It is never changed in place.
	link *link
	// archive is what is not stored of the account's archive.
	archive archiveState
	// refusedRooms are those that the server would not make.
	refusedRooms []refusedRoom
}

func newVolatile() volatile {
	return volatile{
		nextID: 1, requests: make(map[uint64]request), named: make(map[string]uint64), told: make(map[uint64]bool), shown: make(map[ident.RoomID]uint64),
		logs: make(map[ident.RoomID]serverLog), blocked: make(map[ident.RoomID]blocked),
		welcomes: make(map[ident.RoomID]*wire.WelcomeEvent), packages: make(map[ident.DeviceID]claimed),
		commitAt: make(map[ident.RoomID]time.Time), submitAt: make(map[ident.RoomID]time.Time),
		renewals:  make(map[ident.RoomID]renewal),
		differing: make(map[ident.RoomID]differing),
		archive:   newArchiveState(),
	}
}

func (v volatile) clone() volatile {
	v.requests = maps.Clone(v.requests)
	v.named = maps.Clone(v.named)
	v.told = maps.Clone(v.told)
	v.waits = append([]wait(nil), v.waits...)
	v.knocks = append([]heardKnock(nil), v.knocks...)
	v.shown = maps.Clone(v.shown)
	v.logs = maps.Clone(v.logs)
	v.blocked = maps.Clone(v.blocked)
	v.welcomes = maps.Clone(v.welcomes)
	v.packages = maps.Clone(v.packages)
	v.commitAt = maps.Clone(v.commitAt)
	v.submitAt = maps.Clone(v.submitAt)
	v.renewals = maps.Clone(v.renewals)
	v.differing = maps.Clone(v.differing)
	v.archive = v.archive.clone()
	return v
}

// wait is a call that is answered when something has come about. check says whether it has, and the answer. kept, where
// not empty, says what is stored of it, for who stops waiting.
type wait struct {
	call  uint64
	kept  string
	check func(c *Core) (ended bool, value any, err error)
}

func newCore(cfg coreConfig) *Core { return &Core{cfg: cfg, vol: newVolatile()} }

// Step takes one input. The driver commits the batch and goes on, or calls rollback.
func (c *Core) Step(ctx context.Context, store reader, now time.Time, in input) (output, error) {
	c.before = c.vol.clone()
	c.step = newStep(ctx, store, now)
	defer func() { c.step = nil }()
	if c.mem == nil {
		c.load()
		c.changedHands()
		c.showForeign()
	}
	c.dispatch(in)
	c.advance()
	c.flush()
	c.vol.shownAs = c.device()
	c.out.wake = c.nextWake()
	return c.finish()
}

// rollback undoes a step that was not committed: the cache is read again, the rest is as it was.
func (c *Core) rollback() {
	c.vol = c.before
	c.mem = nil
}

func (c *Core) dispatch(in input) {
	switch in := in.(type) {
	case inputTick:
	case inputConnected:
		c.connected()
	case inputDisconnected:
		c.disconnected(in.err)
	case inputFrame:
		c.received(in.frame)
	case inputCall:
		// Who asks something of a server that turned this device away is told at once whether it still does.
		if k := &c.vol.connection; k.phase == offline && k.refused {
			k.retryAt = c.now
		}
		in.begin(c, in.call)
	case inputCancel:
		c.cancel(in.call)
	case inputForeign: // the store was read anew for it
	}
}

// advance does whatever has become possible: it looks at the state, not at what has happened, so that it does not
// matter after which crash or in which order.
func (c *Core) advance() {
	c.advanceConnection()
	// What one pass makes possible, such as following a room that was just joined, is done in the next.
	for range 4 {
		asked := c.vol.nextID
		if c.mem.account != nil {
			c.advanceRestarts()
			c.advanceRooms()
		}
		c.advanceWaits()
		if c.vol.nextID == asked {
			break
		}
	}
	if c.vol.connection.phase >= greeting {
		c.sendRequests()
	}
}

func (c *Core) advanceWaits() {
	kept := c.vol.waits[:0]
	for _, w := range c.vol.waits {
		ended, value, err := w.check(c)
		if ended {
			if err != errLater {
				c.reply(w.call, value, err)
			}
			continue
		}
		kept = append(kept, w)
	}
	c.vol.waits = kept
}

// errLater ends a wait without an answer: a request that the check has made will give it.
var errLater = errors.New("client: internal error: an answer is owed")

// await answers call when check says so.
func (c *Core) await(call uint64, check func(c *Core) (bool, any, error)) {
	c.awaitKept(call, "", check)
}

// awaitKept is await for what is stored, and goes on when nobody waits.
func (c *Core) awaitKept(call uint64, kept string, check func(c *Core) (bool, any, error)) {
	c.vol.waits = append(c.vol.waits, wait{call, kept, check})
}

// random gives n random bytes.
func (c *Core) random(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.cfg.rand, b); err != nil {
		c.fail(err)
	}
	return b
}

// jitter gives a random duration in [d/2, d).
func (c *Core) jitter(d time.Duration) time.Duration {
	b := c.random(2)
	return d/2 + time.Duration(float64(d/2)*(float64(b[0])*256+float64(b[1]))/math.Exp2(16))
}

// messageID makes an id.
func (c *Core) messageID() ident.MessageID {
	id, err := ident.NewMessageID(c.cfg.rand)
	if err != nil {
		c.fail(err)
	}
	return id
}
