package client

import (
	"context"
	"slices"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// AlertKind is what an Alert tells of.
type AlertKind int

const (
	// DeviceAdded: a device has come to the account, by the passphrase or by a link.
	DeviceAdded AlertKind = iota + 1
	// DeviceRevoked: a device was signed out, by itself or by another one; a chain does not say which.
	DeviceRevoked
	// PassphraseReplaced: another device has changed the passphrase.
	PassphraseReplaced
)

// Alert is something that was done to this account on another device, for its person to look at. The account's own chain
// and vault say so: the server can keep them back, and cannot make one up.
type Alert struct {
	// ID names the alert on this device. A later one has a larger ID.
	ID   uint64
	Kind AlertKind
	// Device is the one that came or went, and DeviceName what it is called now; empty of PassphraseReplaced.
	Device     ident.DeviceID
	DeviceName string
	// At is when it was done, by the clock of the device that did it, which may be wrong or lie, but no later than when this
	// device has heard of it; of PassphraseReplaced, that.
	At time.Time
	// Revoked says that a device which was added is none any more.
	Revoked bool
}

// Alerts lists what nobody has dismissed on this device, oldest first: what has happened since the device was enrolled,
// but for what was done on it. It needs no network, and gives what the device has heard. AlertsChanged tells of changes.
func (c *Client) Alerts(ctx context.Context) ([]Alert, error) {
	return call[[]Alert](ctx, c, func(c *Core, call uint64) { c.listAlerts(call) })
}

func (c *Core) listAlerts(call uint64) {
	c.reviewChain()
	c.reply(call, c.viewAlerts(), nil)
}

// DismissAlerts takes alerts away that somebody has seen, for ever and on this device alone: a device that should not be
// there could dismiss them for all of them otherwise. Those that are not there are no error.
func (c *Client) DismissAlerts(ctx context.Context, ids ...uint64) error {
	_, err := call[struct{}](ctx, c, func(c *Core, call uint64) {
		c.dropAlerts(func(r alertRow) bool { return slices.Contains(ids, r.id) })
		c.reply(call, struct{}{}, nil)
	})
	return err
}

func (c *Core) viewAlerts() (list []Alert) {
	if c.mem.alerts == nil || len(c.mem.alerts.rows) == 0 {
		return nil
	}
	chain := c.chain(c.mem.account.me.Account)
	if chain == nil {
		return nil // the step has failed
	}
	for _, r := range c.mem.alerts.rows {
		d, _ := chain.EverEnrolled(r.device) // none of PassphraseReplaced
		list = append(list, Alert{ID: r.id, Kind: r.kind, Device: d.ID, DeviceName: d.Name, At: r.at,
			Revoked: r.kind == DeviceAdded && d.Revoked})
	}
	return list
}

// reviewChain makes alerts of what has come to the account's own chain since it was last reviewed, in the batch that stores
// the chain. The first review of a device begins after its own enrolment.
func (c *Core) reviewChain() {
	chain := c.chain(c.mem.account.me.Account)
	if chain == nil {
		return // the step has failed
	}
	first := c.mem.alerts == nil
	if first {
		c.mem.alerts = &alertRecord{reviewed: uint64(chain.Len()), dirty: true}
		if d, enrolled := chain.EverEnrolled(c.mem.account.me.Device); enrolled {
			c.mem.alerts.reviewed = uint64(d.Seq) + 1
		}
	}
	a := c.mem.alerts
	for ; a.reviewed < uint64(chain.Len()); a.reviewed++ {
		a.dirty = true
		statement, at := chain.Statement(int(a.reviewed))
		switch s := statement.(type) {
		case ident.Enrol:
			// On a store from before there were alerts, what has come and gone since is nobody's concern any more.
			d, _ := chain.EverEnrolled(s.Device)
			if !c.didItself(s.Device) && !(first && d.Revoked) {
				c.alert(DeviceAdded, s.Device, at)
			}
		case ident.Revoke:
			if !first {
				c.reviewRevocation(s.Device, at)
			}
		}
	}
}

// reviewRevocation tells that a device has gone, unless this device has sent it away. Where nobody has seen yet that it
// came, that alert says it.
func (c *Core) reviewRevocation(device ident.DeviceID, at time.Time) {
	switch {
	case c.didItself(device):
		c.dropAlerts(ofComing(device))
	case !c.newDevice(device):
		c.alert(DeviceRevoked, device, at)
	}
}

// newDevice reports whether there is an alert of the device's coming.
func (c *Core) newDevice(device ident.DeviceID) bool {
	return c.mem.alerts != nil && slices.ContainsFunc(c.mem.alerts.rows, ofComing(device))
}

func ofComing(device ident.DeviceID) func(alertRow) bool {
	return func(r alertRow) bool { return r.kind == DeviceAdded && r.device == device }
}

func (c *Core) alert(kind AlertKind, device ident.DeviceID, at time.Time) {
	if at.After(c.now) {
		at = c.now
	}
	a := c.mem.alerts
	a.lastID++
	a.rows, a.dirty = append(a.rows, alertRow{a.lastID, kind, device, at}), true
}

func (c *Core) dropAlerts(which func(alertRow) bool) {
	a := c.mem.alerts
	if a != nil && slices.ContainsFunc(a.rows, which) {
		a.rows, a.dirty = slices.DeleteFunc(a.rows, which), true
	}
}

// doesItself notes that this device is about to let a device in, or to revoke it, before the server hears of it: any process
// that uses the store may be the first to see the statement.
func (c *Core) doesItself(device ident.DeviceID) {
	if c.reviewChain(); c.mem.alerts == nil {
		return
	}
	a := c.mem.alerts
	a.own = slices.DeleteFunc(a.own, func(o ownChange) bool { return o.device == device || !c.now.Before(o.until) })
	a.own, a.dirty = append(a.own, ownChange{device, c.now.Add(ownChangeLasts)}), true
	if len(a.own) > maxOwnChanges {
		a.own = a.own[1:]
	}
}

// didItself reports whether a statement about a device is the one that doesItself was about, which then has come. Where it
// does not come, the same takes doesItself back.
func (c *Core) didItself(device ident.DeviceID) bool {
	a := c.mem.alerts
	if a == nil {
		return false
	}
	at := slices.IndexFunc(a.own, func(o ownChange) bool { return o.device == device })
	if at < 0 {
		return false
	}
	inTime := c.now.Before(a.own[at].until)
	a.own, a.dirty = slices.Delete(a.own, at, at+1), true
	return inTime
}

// vaultName names the request for the vault that no call waits for.
const vaultName = "vault"

// vaultEvery is how often a device that stays connected asks for the vault, of which nobody tells it: soon enough for a person
// to set another passphrase before much is done with one that was stolen.
const vaultEvery = time.Hour

// followVault asks for the account's vault: only who holds its keys makes one of a later revision, and does so to change
// the passphrase.
func (c *Core) followVault() {
	c.vol.connection.vaultAt = c.now.Add(vaultEvery)
	c.ask(request{name: vaultName, needs: ready, refused: func(*Core, *wire.Error) {},
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_GetVault{GetVault: &wire.GetVault{}}},
		then:  func(c *Core, reply *wire.ServerFrame) { c.reviewVault(reply.GetVault()) }})
}

// reviewVault makes an alert of a vault that another device has made, and keeps it. An older one, or another's, is no news:
// it is refused where somebody needs the vault.
func (c *Core) reviewVault(answer *wire.Vault) {
	key, keyErr := ident.VaultKeyFromSecret(c.get(keyVaultKey))
	seen, seenErr := ident.ParseVault(c.get(keyVault))
	if keyErr != nil || seenErr != nil {
		return
	}
	shown, problem := c.judgeVault(key, seen, answer)
	if problem != "" {
		c.cfg.log.Warn("refused a vault", "problem", problem)
		return
	}
	own := new(wire.ChangePassphrase)
	if shown.Revision() == seen.Revision() || own.UnmarshalVT(c.get(keyChange)) == nil && string(own.Vault) == string(answer.Vault) {
		return // the answer to this device's own change is still to come
	}
	c.put(keyVault, answer.Vault)
	if c.reviewChain(); c.mem.alerts == nil {
		return
	}
	c.dropAlerts(ofPassphrase)
	c.alert(PassphraseReplaced, ident.DeviceID{}, c.now)
}

func ofPassphrase(r alertRow) bool { return r.kind == PassphraseReplaced }
