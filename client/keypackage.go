package client

import (
	"errors"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
	"snug/mls"
)

// claimed is a key package that was claimed for a commit; empty where the device had none that can be used.
type claimed struct {
	keyPackage []byte
	at         time.Time
}

func (c *Core) packageLifetime() mls.Lifetime {
	// A day back, for clocks that disagree, were it by a time zone.
	return mls.Lifetime{NotBefore: uint64(c.now.Add(packageLifetime - longestLifetime).Unix()), NotAfter: uint64(c.now.Add(packageLifetime).Unix())}
}

// packagesAge is how old the key packages on the server become before others replace them: as long as that a device can be
// away, and still be added to rooms.
const packagesAge = packageLifetime / 2

// newKeyPackages makes key packages for a device of the account and stores their private halves, which are durable
// before the server has the public ones.
func (c *Core) newKeyPackages(chain *ident.Chain, device ident.DeviceID, n int) (packages [][]byte, lastResort []byte) {
	for i := range n + 1 {
		public := c.newKeyPackage(chain, device, i == n)
		switch {
		case public == nil:
			return nil, nil
		case i == n:
			lastResort = public.Marshal()
		default:
			packages = append(packages, public.Marshal())
		}
	}
	return packages, lastResort
}

// newKeyPackage makes one and stores its private half; nil if the step has failed.
func (c *Core) newKeyPackage(chain *ident.Chain, device ident.DeviceID, lastResort bool) *mls.KeyPackage {
	public, private, err := mls.NewKeyPackage(mls.KeyPackageOptions{
		Credential:     mls.BasicCredential(ident.Credential{Account: chain.Account(), Device: device}.Marshal()),
		Signer:         c.mem.key.Signer(),
		Lifetime:       c.packageLifetime(),
		LeafExtensions: c.certificateOf(chain, device),
		Capabilities:   mls.Capabilities{Extensions: []mls.ExtensionType{extensionRoster}},
		LastResort:     lastResort,
	})
	if err != nil {
		c.fail(failed("making a key package", err))
		return nil
	}
	c.put(keyPackagePrivate(string(public.Ref())), private.Save())
	return public
}

// packagesEvery is how often a device that stays online looks after its key packages.
const packagesEvery = 24 * time.Hour

// countKeyPackages asks how many key packages the server has left, and puts others in their place when they run low or
// grow old.
func (c *Core) countKeyPackages() {
	c.vol.connection.countAt = c.now.Add(packagesEvery)
	c.ask(request{name: "packages", needs: ready, refused: func(*Core, *wire.Error) {},
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_PutKeyPackages{PutKeyPackages: new(wire.PutKeyPackages)}},
		then: func(c *Core, reply *wire.ServerFrame) {
			answer, age := reply.GetKeyPackages(), c.now.Sub(c.suppliedAt())
			// Those that were made by a clock far ahead have not begun.
			if answer != nil && (answer.Remaining < packagesLow || age >= packagesAge || age < packageLifetime-longestLifetime) {
				c.supplyKeyPackages()
			}
		}})
}

// supplyKeyPackages has the server keep new key packages instead of those that it has.
func (c *Core) supplyKeyPackages() {
	me := c.mem.account.me
	c.forgetKeyPackages()
	made := c.now
	packages, lastResort := c.newKeyPackages(c.chain(me.Account), me.Device, packagesWanted)
	body := &wire.PutKeyPackages{KeyPackages: packages, LastResortKeyPackage: lastResort, Replace: true}
	c.ask(request{name: "packages", needs: ready, refused: func(*Core, *wire.Error) {},
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_PutKeyPackages{PutKeyPackages: body}},
		then:  func(c *Core, _ *wire.ServerFrame) { c.supplied(made) }})
}

const suppliedVersion = 1

// supplied notes when the key packages were made that the server has.
func (c *Core) supplied(at time.Time) {
	e := newEncoder(suppliedVersion)
	e.time(at)
	c.put(keySupplied, e.b)
}

// suppliedAt is when they were made; zero where that is not known.
func (c *Core) suppliedAt() time.Time {
	d := newDecoder(c.get(keySupplied), suppliedVersion)
	at := d.time()
	if d.end() != nil {
		return time.Time{}
	}
	return at
}

// forgetKeyPackages deletes the private halves of those that could not be used any more for as long as they could be. A
// Welcome to one may have waited until then.
func (c *Core) forgetKeyPackages() {
	past := uint64(c.now.Add(-packageLifetime).Unix())
	for _, record := range c.scan(ScanOptions{Prefix: keyPackages}) {
		private, err := mls.LoadKeyPackagePrivate(record.Value)
		if err != nil || private.KeyPackage().Member().Lifetime.NotAfter < past {
			c.delete(record.Key)
		}
	}
}

// packageless reports whether a device is known to have no usable key package.
func (c *Core) packageless(device ident.DeviceID) bool {
	known, ok := c.vol.packages[device]
	return ok && known.keyPackage == nil && c.now.Sub(known.at) < packageRetry
}

// havePackages reports whether a key package of every device that the plan adds is at hand, and claims those that are not.
func (c *Core) havePackages(r *room, p *plan) bool {
	var lacking []leaf
	for _, l := range p.add {
		if c.vol.packages[l.device].keyPackage == nil {
			lacking = append(lacking, l)
		}
	}
	if len(lacking) > 0 {
		c.claimPackages(r, lacking)
		return false
	}
	return !c.unreachableWants(r, p)
}

// unreachableWants gives up accounts that are to be added and have no device with a key package; true if there were any.
func (c *Core) unreachableWants(r *room, p *plan) bool {
	gaveUp := false
	for i := range r.wanted {
		w := &r.wanted[i]
		if w.kind != wantAdd && w.kind != wantLetIn || w.problem != "" || !p.after.has(w.account) {
			continue
		}
		found := c.roster(r).has(w.account)
		for _, l := range p.add {
			found = found || l.account == w.account
		}
		if !found {
			w.problem, r.dirty, gaveUp = "@"+c.handle(w.account)+" has no device that can be added", true, true
			if w.account == r.direct {
				c.unreachableOther(r, w.problem)
			}
		}
	}
	return gaveUp
}

// claimPackages takes a key package of each device. What is no key package of that very device, by its account's chain,
// counts as none: a server that lists a ghost device gets nothing.
func (c *Core) claimPackages(r *room, devices []leaf) {
	body := new(wire.ClaimKeyPackages)
	for _, l := range devices[:min(len(devices), wire.MaxKeyPackages)] {
		body.Devices = append(body.Devices, l.device.Bytes())
	}
	suite := c.group(r).Suite()
	room := r.id
	c.ask(request{name: "claim " + r.id.String(), needs: ready,
		frame: &wire.ClientFrame{Body: &wire.ClientFrame_ClaimKeyPackages{ClaimKeyPackages: body}},
		then: func(c *Core, reply *wire.ServerFrame) {
			for _, device := range body.Devices {
				c.vol.packages[ident.DeviceID(device)] = claimed{at: c.now}
			}
			for _, kp := range reply.GetKeyPackages().GetKeyPackages() {
				device, err := c.checkPackage(kp, suite)
				if err != nil {
					c.cfg.log.Warn("refused a key package", "error", err)
					continue
				}
				c.vol.packages[device] = claimed{kp.KeyPackage, c.now}
			}
			if r := c.mem.rooms[room]; r != nil {
				r.replan = true
			}
		},
		refused: func(c *Core, e *wire.Error) {
			if r := c.mem.rooms[room]; r != nil {
				c.retryCommit(r, e.Message)
			}
		}})
}

// checkPackage verifies that a key package is an enrolled device's, and gives the device.
func (c *Core) checkPackage(kp *wire.KeyPackage, suite mls.CipherSuite) (ident.DeviceID, error) {
	parsed, err := mls.ParseKeyPackage(kp.KeyPackage)
	if err != nil {
		return ident.DeviceID{}, err
	}
	m := parsed.Member()
	credential, err := memberCredential(m)
	if err != nil {
		return ident.DeviceID{}, err
	}
	chain := c.chain(credential.Account)
	certificate, _ := m.Extensions.Get(extensionCertificate)
	now := uint64(c.now.Unix())
	switch {
	case chain == nil:
		return ident.DeviceID{}, errors.New("client: the key package of an unknown account")
	case parsed.Suite != suite:
		return ident.DeviceID{}, errors.New("client: the key package is of another suite")
	case now < m.Lifetime.NotBefore || now > m.Lifetime.NotAfter:
		return ident.DeviceID{}, errors.New("client: the key package is not within its lifetime")
	}
	return credential.Device, ident.VerifyMember(chain, m.Credential.Identity, m.SignatureKey, certificate)
}
