package client

import (
	"bytes"
	"sort"
	"strings"
	"time"

	"snug/internal/ident"
)

// memory is the cache of the store. It is loaded by the first step after it was dropped, groups and messages when they
// are needed.
type memory struct {
	key     ident.DeviceKey
	account *account // nil while nobody is signed in
	chains  map[ident.AccountID]*ident.Chain
	// strangers are accounts whose handle this device has known another account by.
	strangers map[ident.AccountID]string
	rooms     map[ident.RoomID]*room
	// alerts is nil until the account's own chain is reviewed for the first time.
	alerts *alertRecord
	// head is the newest head of the account's archive that was seen, nil for none; archives what is known of the rooms'.
	head     *archiveHead
	archives map[ident.RoomID]*roomArchive
	// knocking are the rooms that this device asks to be let into.
	knocking map[ident.RoomID]*knocking
	// admissions are rooms that nobody has accepted, blocked the accounts that are, and since when.
	admissions map[ident.RoomID]admission
	blocked    map[ident.AccountID]time.Time
	// order has the ids of rooms, sorted, so that one seed gives one run.
	order []ident.RoomID
}

func newMemory() *memory {
	return &memory{chains: make(map[ident.AccountID]*ident.Chain), strangers: make(map[ident.AccountID]string),
		knocking: make(map[ident.RoomID]*knocking), admissions: make(map[ident.RoomID]admission),
		blocked: make(map[ident.AccountID]time.Time), rooms: make(map[ident.RoomID]*room),
		archives: make(map[ident.RoomID]*roomArchive)}
}

// account is who is signed in.
type account struct {
	me       Me
	identity ident.IdentityKey
}

const accountVersion = 1

func (a *account) encode() []byte {
	e := newEncoder(accountVersion)
	e.bytes(a.me.Account[:])
	e.string(a.me.Handle)
	e.bytes(a.me.Device[:])
	e.string(a.me.DeviceName)
	e.bool(a.me.Owner)
	return e.b
}

func decodeAccount(b []byte) (*account, error) {
	d := newDecoder(b, accountVersion)
	a := new(account)
	a.me.Account = d.id()
	a.me.Handle = d.string()
	a.me.Device = d.id()
	a.me.DeviceName = d.string()
	a.me.Owner = d.bool()
	return a, d.end()
}

// load reads what every step may need. Where there is no device key yet it makes one.
func (c *Core) load() {
	c.mem = newMemory()
	c.loadKey()
	if b := c.get(keyAccount); b != nil {
		a, err := decodeAccount(b)
		if err == nil {
			a.identity, err = ident.IdentityKeyFromSecret(c.get(keyIdentity))
		}
		if err != nil {
			c.fail(failed("reading the account", err))
			return
		}
		c.mem.account = a
		c.loadAlerts()
	}
	c.loadArchive()
	for _, record := range c.scan(ScanOptions{Prefix: keyRooms}) {
		room, err := decodeRoom(record.Value)
		if err != nil {
			c.salvageRoom(record.Key)
			continue
		}
		c.adopt(room)
	}
	c.loadRejoins()
	c.loadFaults()
	c.loadRestarts()
	c.loadOutbox()
	c.loadPending()
	c.loadKnocks()
	c.loadAdmissions()
	c.loadBlocks()
	for _, record := range c.scan(ScanOptions{Prefix: keyStrange}) {
		if account, err := ident.ParseAccountID(strings.TrimPrefix(record.Key, keyStrange)); err == nil {
			c.mem.strangers[account] = string(record.Value)
		}
	}
}

// salvageRoom takes a room's record that does not parse for lost. A room of which there is a roster is one that this device
// cannot follow now; any other is over, with its messages, or open, and then the server's list brings it back.
func (c *Core) salvageRoom(key string) {
	id, err := ident.ParseRoomID(strings.TrimPrefix(key, keyRooms))
	c.cfg.log.Error("a room's record is damaged", "room", id)
	if err != nil || c.mem.account == nil {
		c.delete(key)
		return
	}
	r := c.newRoom(id, Sealed, left)
	for _, record := range c.scan(ScanOptions{Prefix: keyMessagesOf(id), Reverse: true, Limit: 1}) {
		r.seq = seqOfKey(record.Key)
		r.read, r.lastSeq = r.seq, r.seq
	}
	c.hasStored(r)
	last, err := decodeRoster(c.get(keyRoster(id)))
	if err != nil {
		return
	}
	r.status, r.head = joined, ident.Hash{} // the server will say
	if last.direct {
		r.direct = otherMember(last, c.mem.account.me.Account)
	}
	c.startRejoin(r, causeDamaged)
}

func (c *Core) loadKey() {
	secret := c.get(keyDevice)
	if secret == nil {
		c.newDeviceKey()
		return
	}
	key, err := ident.DeviceKeyFromSecret(secret)
	if err != nil {
		c.fail(failed("reading the device's key", err))
	}
	c.mem.key = key
}

// newDeviceKey gives this device a key that was never used.
func (c *Core) newDeviceKey() {
	key, err := ident.NewDeviceKey(c.cfg.rand)
	if err != nil {
		c.fail(err)
		return
	}
	c.mem.key = key
	c.put(keyDevice, key.Secret())
}

// adopt puts a room into the cache.
func (c *Core) adopt(r *room) {
	if _, known := c.mem.rooms[r.id]; !known {
		at := sort.Search(len(c.mem.order), func(i int) bool { return bytes.Compare(c.mem.order[i][:], r.id[:]) >= 0 })
		c.mem.order = append(c.mem.order, ident.RoomID{})
		copy(c.mem.order[at+1:], c.mem.order[at:])
		c.mem.order[at] = r.id
	}
	c.mem.rooms[r.id] = r
}

// flush writes what the step has changed in the cache.
func (c *Core) flush() {
	for _, id := range c.mem.order {
		r := c.mem.rooms[id]
		c.saveGroup(r)
		if r.dirty {
			r.dirty = false
			c.put(keyRoom(id), r.encode())
			if r.begun() {
				c.emit(RoomChanged{c.view(r)})
			}
		}
	}
	c.flushArchives()
	c.flushAlerts()
}

// saveGroup writes what the step has changed in a room's group.
func (c *Core) saveGroup(r *room) {
	if r.group == nil {
		return
	}
	delta := r.group.Delta()
	for _, record := range delta.Puts {
		c.put(keyGroup(r.id)+record.Key, record.Value)
	}
	for _, key := range delta.Deletes {
		c.delete(keyGroup(r.id) + key)
	}
}

// signOut forgets everything, and begins anew as a device that nobody has signed in on.
func (c *Core) signOut(reason string) {
	c.erase("")
	c.mem = newMemory()
	c.newDeviceKey()
	c.startAnew("signed out: " + reason)
	c.emit(SignedOut{reason})
}

// changedHands tells where another holder of this store has signed its device out, or in: what is shown here is not this
// device's any more, and what was under way was another's.
func (c *Core) changedHands() {
	was, is := c.vol.shownAs, c.device()
	if !c.vol.begun || was == is {
		return
	}
	reason := "signed out on this device"
	if was.IsZero() {
		reason = "somebody has signed in on this device"
	}
	c.startAnew(reason)
	c.vol.begun = true
	if !was.IsZero() {
		c.emit(SignedOut{reason})
	}
	if !is.IsZero() {
		c.emit(Resync{})
	}
}

// device is the one that somebody is signed in on; zero for nobody.
func (c *Core) device() ident.DeviceID {
	if c.mem.account == nil {
		return ident.DeviceID{}
	}
	return c.mem.account.me.Device
}

// startAnew ends the connection and all that is under way, which is refused with the reason.
func (c *Core) startAnew(reason string) {
	connection := c.vol.connection
	waits, nextID := c.vol.waits, c.vol.nextID
	for _, r := range c.vol.requests {
		if r.name == logoutName {
			// It was carried out, by whichever way the news came.
			c.reply(r.call, struct{}{}, nil)
			continue
		}
		c.reply(r.call, nil, refuse(Refused, "", "%s", reason))
	}
	for _, w := range waits {
		c.reply(w.call, nil, refuse(Refused, "", "%s", reason))
	}
	c.vol = newVolatile()
	c.vol.nextID = nextID
	c.vol.connection = connection
	c.hangUp("signed out", c.now)
}
