package mls

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"
)

// secretsIn collects every Secret that can be reached from v, through every field.
func secretsIn(v reflect.Value, seen map[unsafe.Pointer]bool, out map[string]bool) {
	if v.CanAddr() && !v.CanInterface() {
		v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	}
	switch {
	case v.Type() == reflect.TypeFor[Secret]():
		if v.Len() >= 12 {
			out[string(v.Bytes())] = true
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		if p := v.UnsafePointer(); !seen[p] {
			seen[p] = true
			secretsIn(v.Elem(), seen, out)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			secretsIn(v.Field(i), seen, out)
		}
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		for i := range v.Len() {
			secretsIn(v.Index(i), seen, out)
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			addressable := reflect.New(v.Type().Elem()).Elem()
			addressable.Set(v.MapIndex(key))
			secretsIn(addressable, seen, out)
		}
	}
}

// secretsOf collects the secrets of a value that a pointer leads to.
func secretsOf(p any) map[string]bool {
	out := make(map[string]bool)
	secretsIn(reflect.ValueOf(p), make(map[unsafe.Pointer]bool), out)
	return out
}

// A diary is a member with its records, and every secret that it ever had.
type diary struct {
	g       *Group
	records map[string][]byte
	ever    map[string]bool
}

// step saves, and checks that of all secrets the member ever had the records hold those alone that it still has.
func (d *diary) step(t *testing.T, what string) {
	t.Helper()
	recordsOf(d.g, d.records)
	now := secretsOf(d.g.epoch)
	if len(now) < 9 {
		t.Fatalf("%s: only %d secrets were found", what, len(now))
	}
	var all bytes.Buffer
	for _, value := range d.records {
		all.Write(value)
		all.WriteByte(0)
	}
	gone := 0
	for secret := range d.ever {
		if now[secret] {
			continue
		}
		gone++
		if bytes.Contains(all.Bytes(), []byte(secret)) {
			t.Fatalf("%s: the records hold a secret of before", what)
		}
	}
	for secret := range now {
		d.ever[secret] = true
	}
	if gone == 0 && len(d.ever) > len(now) {
		t.Errorf("%s: no secret is gone", what)
	}
}

// learn notes secrets that the member had in passing.
func (d *diary) learn(secrets map[string]bool) {
	for s := range secrets {
		d.ever[s] = true
	}
}

// TestNothingOfThePast follows a group for many epochs and messages. After each step the records of each member are searched for every secret
// that it ever had, and has no more: ratchets, message keys, path secrets, epoch secrets, private keys.
func TestNothingOfThePast(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	members := groupOf(t, 5)
	diaries := make([]*diary, len(members))
	for i, g := range members {
		diaries[i] = &diary{g: g, records: make(map[string][]byte), ever: make(map[string]bool)}
		diaries[i].step(t, "the beginning")
	}
	for n := range 12 {
		say(t, random, members, diaries)
		by := n % len(members)
		opts := CommitOptions{Public: n%2 == 0}
		if n%3 == 1 {
			message, err := members[(by+1)%5].ProposeUpdate(LeafOptions{})
			hearAll(t, members, (by+1)%5, message, err)
			for _, d := range diaries {
				d.step(t, "a proposal")
			}
		}
		c, err := members[by].Commit(opts)
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range members {
			staged := c
			if i != by {
				r, err := g.Process(c.Message())
				if err != nil {
					t.Fatal(err)
				}
				staged = r.(*StagedCommit)
			}
			if err := g.Merge(staged); err != nil {
				t.Fatal(err)
			}
			diaries[i].step(t, "a commit")
		}
	}
	for i, d := range diaries {
		t.Logf("member %d: %d secrets in its life, %d now", i, len(d.ever), len(secretsOf(d.g.epoch)))
		if len(d.ever) < 300 {
			t.Errorf("member %d: only %d secrets were seen", i, len(d.ever))
		}
	}
}

// say has members talk, and the others hear it in disorder.
func say(t *testing.T, random *rand.Rand, members []*Group, diaries []*diary) {
	t.Helper()
	for from, g := range members {
		var sent [][]byte
		for k := range 1 + random.IntN(5) {
			use, err := g.ratchets.take(ratchetID{g.own, applicationRatchet}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range diaries { // whoever opens it had the key
				d.learn(map[string]bool{string(use.key): true, string(use.nonce): true})
			}
			m, err := g.Seal(fmt.Append(nil, k), nil)
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, m)
			diaries[from].step(t, "sealing")
		}
		random.Shuffle(len(sent), func(i, j int) { sent[i], sent[j] = sent[j], sent[i] })
		for i, other := range members {
			if i == from {
				continue
			}
			for k, m := range sent {
				if k == 1 && i%2 == 0 {
					continue // it never comes
				}
				if _, err := other.Process(m); err != nil {
					t.Fatal(err)
				}
				diaries[i].step(t, "opening")
			}
		}
	}
}

// TestSkippedKeys looks at what is kept of messages that were skipped: their keys and nonces, and not the ratchet secrets that
// these came from.
func TestSkippedKeys(t *testing.T) {
	members := groupOf(t, 2)
	alice, bob := members[0], members[1]
	id := ratchetID{0, applicationRatchet}
	r, err := new(keyUse).begin(bob.ratchets, id)
	if err != nil {
		t.Fatal(err)
	}
	const skipped = MaxSkipped + 5
	var keys []messageKey
	ratchetSecrets := make(map[string]Secret)
	for n := range skipped {
		ratchetSecrets[fmt.Sprint("ratchet secret ", n)] = r.secret
		var key messageKey
		key, r = r.step(bob.suite)
		keys = append(keys, key)
	}
	ratchetSecrets["ratchet secret of the message"] = r.secret
	last, _ := r.step(bob.suite)
	var message []byte
	for range skipped + 1 {
		if message, err = alice.Seal(nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bob.Process(message); err != nil {
		t.Fatal(err)
	}
	records := stateOf(bob)
	if left := holds(records, ratchetSecrets); len(left) > 0 {
		t.Errorf("the records hold %v", left)
	}
	for n, key := range keys {
		kept := holds(records, map[string]Secret{"key": key.key, "nonce": key.nonce})
		if want := n >= skipped-MaxSkipped; want != (len(kept) == 2) || !want && len(kept) > 0 {
			t.Errorf("of skipped message %d the records hold %v; in the window: %v", n, kept, want)
		}
	}
	if left := holds(records, map[string]Secret{"key": last.key, "nonce": last.nonce}); len(left) > 0 {
		t.Errorf("of the message that was opened the records hold the %v", left)
	}
}

// TestCandidateSecrets checks that of a candidate that lost, nothing is in the records of the group.
func TestCandidateSecrets(t *testing.T) {
	members := groupOf(t, 3)
	records := make(map[string][]byte)
	lost, err := members[0].Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secrets := make(map[string]Secret)
	for s := range secretsOf(lost.next) {
		secrets[fmt.Sprintf("%x", s[:4])] = Secret(s)
	}
	for s := range secretsOf(members[0].epoch) {
		delete(secrets, fmt.Sprintf("%x", s[:4]))
	}
	if len(secrets) < 9 {
		t.Fatalf("only %d secrets in the candidate", len(secrets))
	}
	won, err := members[1].Commit(CommitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	recordsOf(members[0], records)
	follow(t, members, won)
	recordsOf(members[0], records)
	if left := holds(records, secrets); len(left) > 0 {
		t.Errorf("the records hold %v of a commit that lost", left)
	}
	if holds(map[string][]byte{"": lost.Save()}, secrets) == nil {
		t.Error("the test looks for nothing: the candidate does not hold its secrets either")
	}
}

// TestSealIsDurable restores a group from before a message, and from after it: what is saved after Seal never seals under the same
// key, and two seals under one key, which only a caller who loses its records can make, still have guards of their own.
func TestSealIsDurable(t *testing.T) {
	members := groupOf(t, 2)
	alice, bob := members[0], members[1]
	records := make(map[string][]byte)
	recordsOf(alice, records)
	lost := alice.Clone()
	if _, err := alice.Seal(nil, nil); err != nil {
		t.Fatal(err)
	}
	if d := alice.Clone().Delta(); d.Empty() {
		t.Fatal("nothing to save after sealing")
	}
	g := reload(t, alice, records)
	data := func(g *Group) senderData {
		m, err := g.Seal(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := reader{b: m}
		readHeader(&r, wirePrivateMessage)
		data, err := bob.suite.openSenderData(decodePrivateMessage(&r), bob.secrets.senderData)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if got := data(g); got.generation != 1 {
		t.Errorf("after a restart generation %d is sealed, want 1", got.generation)
	}
	first, second := data(lost.Clone()), data(lost.Clone())
	if first.generation != 0 || second.generation != 0 || first.reuseGuard == second.reuseGuard {
		t.Errorf("two copies seal generations %d and %d with guards %x and %x", first.generation, second.generation, first.reuseGuard, second.reuseGuard)
	}
}
