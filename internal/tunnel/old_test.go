package tunnel_test

import (
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"snug/internal/tunnel"
	"snug/mtls"
)

// A clock is set by the test.
type clock struct{ unix atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.unix.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time { return time.Unix(0, c.unix.Load()) }

func (c *clock) pass(d time.Duration) { c.unix.Add(int64(d)) }

// An outdated is a tunnel of which one end, the judge, has an authority's list that holds for half an hour.
type outdated struct {
	ca, other  *authority
	home, peer *home
	judge      *running
	near       *running
	time       *clock
	lines      []string
}

// newOutdated starts both ends; the judge accepts or connects.
func newOutdated(t *testing.T, accepts bool) *outdated {
	t.Helper()
	o := &outdated{ca: newAuthority(t), other: newAuthority(t), home: newHome(t), peer: newHome(t), time: newClock()}
	o.ca.certify(t, o.peer, &x509.Certificate{DNSNames: []string{"web"}})
	o.lines = []string{"authority " + o.home.write(t, "ca.pem", pemOf(o.ca.cert)), "list " + o.home.write(t, "ca.crl", o.ca.listFor(t, 30*time.Minute, 1)),
		"revoked " + o.home.write(t, "revoked", ""), "listen 127.0.0.1:0"}
	leaf := []string{"key " + o.peer.path("leaf.key"), "certificate " + o.peer.path("leaf.crt"), "allow " + o.home.rule(), "listen 127.0.0.1:0"}
	service := "to " + backend(t, echo)
	if accepts {
		o.lines = append(o.lines, service, "tls accept")
		o.judge = startHeld(t, o.time.now, o.route(t, "allow dns:web"))
		o.near = start(t, o.peer.route(t, "main", append(leaf, "to "+o.judge.addr(), "tls connect")...))
		return o
	}
	far := start(t, o.peer.route(t, "main", append(leaf, service, "tls accept")...))
	o.lines = append(o.lines, "to "+far.addr(), "tls connect")
	o.judge = startHeld(t, o.time.now, o.route(t, "allow dns:web"))
	o.near = o.judge
	return o
}

// route is the judge's.
func (o *outdated) route(t *testing.T, rule string) tunnel.Route {
	t.Helper()
	return o.home.route(t, "main", append([]string{rule}, o.lines...)...)
}

// grow opens a stream and leaves an idle carrier, and has the list grow old.
func (o *outdated) grow(t *testing.T) net.Conn {
	t.Helper()
	o.time.pass(30*time.Minute - 10*time.Second)
	o.judge.Sweep()
	live := opened(t, o.near.addr())
	if got, err := askAt(o.near.addr(), "hello"); err != nil || got != "hello" {
		t.Fatalf("while the list holds: got %q, %v", got, err)
	}
	until(t, "a carrier waits for its next stream", func() bool { return o.near.Idle("main") == 1 })
	o.time.pass(20 * time.Second)
	o.judge.Sweep()
	return live
}

// TestOldList: when the authority's list has grown old, streams go on, and nothing new begins: neither by a new
// connection nor by a carrier that there is. Whoever is out for any other reason is cut all the same.
func TestOldList(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		// change is made after the list has grown old.
		change func(t *testing.T, o *outdated)
		cut    bool
	}{
		{"nothing", func(*testing.T, *outdated) {}, false},
		{"a stranger's key is revoked", func(t *testing.T, o *outdated) {
			o.home.write(t, "revoked", newHome(t).id.Fingerprint().String()+"\n")
		}, false},
		{"its rule is another", func(t *testing.T, o *outdated) {
			if err := o.judge.Reload(t.Context(), &tunnel.Config{Routes: []tunnel.Route{o.route(t, "allow dns:other")}}); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"the authority's key is revoked", func(t *testing.T, o *outdated) {
			o.home.write(t, "revoked", mtls.FingerprintOf(o.ca.cert).String()+"\n")
		}, true},
		{"the authority is another", func(t *testing.T, o *outdated) {
			o.home.write(t, "ca.crl", o.other.list(t, 1))
			o.home.write(t, "ca.pem", pemOf(o.other.cert))
		}, true},
	} {
		for _, accepts := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, accepts %t", row.name, accepts), func(t *testing.T) {
				t.Parallel()
				o := newOutdated(t, accepts)
				live := o.grow(t)
				answers(t, live)
				refused(t, "a stream after the list has grown old", o.near.addr())
				row.change(t, o)
				o.judge.promised(t)
				if row.cut {
					broken(t, live)
				} else {
					answers(t, live)
				}
			})
		}
	}
}

// TestOlderList: an older list in the place of a newer one undoes no revocation. What was known stays in force, with what
// else the files say, and health says so until a newer one comes.
func TestOlderList(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	far, bob, carol := newHome(t), newHome(t), newHome(t)
	bobs := ca.certify(t, bob, &x509.Certificate{DNSNames: []string{"bob"}})
	carols := ca.certify(t, carol, &x509.Certificate{DNSNames: []string{"carol"}})
	lines := []string{"authority " + far.write(t, "ca.pem", pemOf(ca.cert)), "list " + far.write(t, "ca.crl", ca.list(t, 5, bobs.SerialNumber)),
		"revoked " + far.write(t, "revoked", ""), "listen 127.0.0.1:0", "to " + backend(t, echo), "tls accept", "allow dns:bob", "allow dns:carol"}
	route := far.route(t, "main", lines...)
	farEnd := startHeld(t, time.Now, route)
	at := func(h *home) string {
		return start(t, h.route(t, "main", "key "+h.path("leaf.key"), "certificate "+h.path("leaf.crt"), "listen 127.0.0.1:0", "to "+farEnd.addr(), "tls connect", "allow "+far.rule())).addr()
	}
	bobAt, carolAt := at(bob), at(carol)
	refused(t, "bob, who is on list 5", bobAt)
	live := opened(t, carolAt)

	stays := func(when string) {
		t.Helper()
		if err := farEnd.Health(); err == nil || !strings.Contains(err.Error(), "older than the one before") {
			t.Errorf("%s: health says %v, want that the list is older", when, err)
		}
		refused(t, "bob, "+when, bobAt)
		answers(t, live)
		if got, err := askAt(carolAt, "hello"); err != nil || got != "hello" {
			t.Errorf("carol, %s: got %q, %v", when, got, err)
		}
	}
	far.write(t, "ca.crl", ca.list(t, 4))
	farEnd.promised(t)
	stays("after list 4")
	if log := "the revocation list is not taken"; !strings.Contains(farEnd.log.String(), log) {
		t.Errorf("the log does not say that %s", log)
	}
	if err := farEnd.Reload(t.Context(), &tunnel.Config{Routes: []tunnel.Route{route}}); err != nil {
		t.Fatal(err)
	}
	stays("after a reload")
	far.write(t, "revoked", newHome(t).id.Fingerprint().String()+"\n")
	farEnd.promised(t)
	stays("after another file has changed")
	far.write(t, "revoked", mtls.FingerprintOf(carols).String()+"\n")
	farEnd.promised(t)
	broken(t, live)

	far.write(t, "revoked", "")
	far.write(t, "ca.crl", ca.list(t, 6, carols.SerialNumber))
	farEnd.promised(t)
	if err := farEnd.Health(); err != nil {
		t.Errorf("after list 6: health says %v", err)
	}
	refused(t, "carol, who is on list 6", carolAt)
	if got, err := askAt(bobAt, "hello"); err != nil || got != "hello" {
		t.Errorf("bob, who is on list 6 no more: got %q, %v", got, err)
	}
}
