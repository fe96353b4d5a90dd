package client

import (
	"fmt"
	"time"

	"snug/internal/ident"
)

const (
	// ownChangeLasts is how long a device waits to see in the chain what it has begun: as long as a link may take. What comes
	// later, it tells of like anything else.
	ownChangeLasts = 10 * time.Minute
	// maxOwnChanges bounds what is begun and not seen yet: more than a person does in that time.
	maxOwnChanges = 32
)

// alertRecord is what this device has told its person of the account's devices and passphrase, and has yet to. There are no
// more rows than statements in a chain, and one.
type alertRecord struct {
	// reviewed is how many statements of the account's chain were looked at.
	reviewed uint64
	// lastID is the alert's that was made last.
	lastID uint64
	rows   []alertRow
	own    []ownChange
	dirty  bool
}

// alertRow is an alert that was not dismissed.
type alertRow struct {
	id     uint64
	kind   AlertKind
	device ident.DeviceID
	at     time.Time
}

// ownChange is a device that this one lets in or revokes, and until when that counts.
type ownChange struct {
	device ident.DeviceID
	until  time.Time
}

const alertVersion = 1

func (a *alertRecord) encode() []byte {
	e := newEncoder(alertVersion)
	e.uint(a.reviewed)
	e.uint(a.lastID)
	e.uint(uint64(len(a.rows)))
	for _, r := range a.rows {
		e.uint(r.id)
		e.uint(uint64(r.kind))
		e.bytes(r.device[:])
		e.time(r.at)
	}
	e.uint(uint64(len(a.own)))
	for _, o := range a.own {
		e.bytes(o.device[:])
		e.time(o.until)
	}
	return e.b
}

func decodeAlerts(b []byte) (*alertRecord, error) {
	d := newDecoder(b, alertVersion)
	a := &alertRecord{reviewed: d.uint(), lastID: d.uint()}
	for n := d.uint(); n > 0 && d.err == nil; n-- {
		r := alertRow{id: d.uint(), kind: AlertKind(d.uint()), device: d.id(), at: d.time()}
		if r.kind < DeviceAdded || r.kind > PassphraseReplaced {
			d.err = errRecord
		}
		a.rows = append(a.rows, r)
	}
	for n := d.uint(); n > 0 && d.err == nil; n-- {
		a.own = append(a.own, ownChange{device: d.id(), until: d.time()})
	}
	return a, d.end()
}

// loadAlerts reads the record. One that is damaged is begun anew: it tells once more of the devices that came after this one.
func (c *Core) loadAlerts() {
	b := c.get(keyAlerts)
	if b == nil {
		return
	}
	a, err := decodeAlerts(b)
	if err != nil {
		c.cfg.log.Error("the record of alerts is damaged")
		return
	}
	c.mem.alerts = a
}

// flushAlerts writes what the step has changed, and tells where Alerts would give another answer: also by what another holder
// of the store has written.
func (c *Core) flushAlerts() {
	shown := ""
	if a := c.mem.alerts; a != nil {
		if a.dirty {
			a.dirty = false
			c.put(keyAlerts, a.encode())
		}
		for _, alert := range c.viewAlerts() {
			shown += fmt.Sprint(alert)
		}
	}
	if shown != c.vol.alertsShown {
		c.vol.alertsShown = shown
		c.emit(AlertsChanged{})
	}
}
