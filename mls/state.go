package mls

import (
	"bytes"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// stateVersion is the first byte of everything that is saved. A change of what follows takes the next number, and a reader for
// each earlier one stays.
const stateVersion = 1

func readVersion(r *reader) {
	if v := r.uint8(); r.err == nil && v != stateVersion {
		r.err, r.b = fmt.Errorf("%w: saved state of version %d", ErrUnsupported, v), nil
	}
}

// A Record is a piece of a group's state.
type Record struct {
	Key   string
	Value Secret
}

// A Delta is what has changed since the last one. Apply all of it in one transaction. Until it is applied the group must not
// speak: a ciphertext that left the device before its key was marked as used is sealed twice after a crash.
type Delta struct {
	Puts    []Record
	Deletes []string
}

// Empty says that there is nothing to write.
func (d Delta) Empty() bool { return len(d.Puts) == 0 && len(d.Deletes) == 0 }

// The kinds of records, as the first letter of their keys. All but the header are followed by a number in hexadecimal: the
// place in the tree, the leaf, or the order of arrival.
const (
	recordHeader      = 'e'
	recordNode        = 'n'
	recordPrivateKey  = 'k'
	recordSecretNode  = 's'
	recordHandshake   = 'h'
	recordApplication = 'a'
	recordPending     = 'p'
	// recordReInit is there, with the number 0, when the group was reinitialized.
	recordReInit = 'r'

	// recordKinds are those that have a number.
	recordKinds = "nkshapr"
)

func recordKey(kind byte, n uint32) string {
	const digits = "0123456789abcdef"
	key := [9]byte{kind}
	for i := 8; i > 0; i-- {
		key[i] = digits[n&15]
		n >>= 4
	}
	return string(key[:])
}

// savedState is what the caller's records hold, as far as a Delta must know.
type savedState struct {
	unprintable
	epoch *epoch
	tree  *ratchetTree
	// keys are the keys of all records but the header and the nodes.
	keys    map[string]struct{}
	pending []*pendingProposal
}

// Delta returns the records that have changed since the last call, all of them the first time, and takes them as saved: if they
// could not be written, drop the group and load it again. Keys are short printable ASCII, unique within the group. The values hold
// the secrets of the epoch: keep them sealed. A message that is sealed or opened changes one record, or O(log n)
// small ones for the first of a sender in an epoch.
func (g *Group) Delta() Delta {
	d := &deltaWriter{saved: &g.saved}
	if g.saved.keys == nil {
		g.saved.keys = make(map[string]struct{})
	}
	if g.saved.epoch != g.epoch {
		d.newEpoch(g.epoch)
	}
	d.secretTree(g.ratchets)
	d.pending(g.pending)
	return d.Delta
}

type deltaWriter struct {
	unprintable
	Delta
	saved *savedState
}

func (d *deltaWriter) put(key string, fill func(*writer)) {
	var w writer
	w.uint8(stateVersion)
	fill(&w)
	d.Puts = append(d.Puts, Record{key, w.b})
}

func (d *deltaWriter) putTracked(key string, fill func(*writer)) {
	d.saved.keys[key] = struct{}{}
	d.put(key, fill)
}

func (d *deltaWriter) delete(key string) {
	if _, ok := d.saved.keys[key]; ok {
		delete(d.saved.keys, key)
		d.Deletes = append(d.Deletes, key)
	}
}

// newEpoch writes what is fixed for the epoch, deletes all secrets of the one before, and marks the new secret tree to be written.
func (d *deltaWriter) newEpoch(e *epoch) {
	d.put(string(recordHeader), e.encodeHeader)
	d.tree(e.tree)
	stale := slices.Sorted(maps.Keys(d.saved.keys))
	for _, x := range slices.Sorted(maps.Keys(e.keys)) {
		d.putTracked(recordKey(recordPrivateKey, uint32(x)), func(w *writer) { w.opaque(e.keys[x].secret) })
	}
	for x := range e.ratchets.nodes {
		e.ratchets.dirtyNodes[x] = struct{}{}
	}
	for id := range e.ratchets.ratchets {
		e.ratchets.dirtyRatchets[id] = struct{}{}
	}
	for _, key := range stale {
		if !e.hasRecord(key) {
			d.delete(key)
		}
	}
	if e.reinit != nil {
		d.putTracked(recordKey(recordReInit, 0), e.reinit.encode)
	}
	d.saved.epoch, d.saved.pending = e, nil
}

// hasRecord tells whether a record that was there before the epoch is one of it too, and is written over.
func (e *epoch) hasRecord(key string) bool {
	kind, n, err := parseRecordKey(key)
	if err != nil {
		return false
	}
	var ok bool
	switch kind {
	case recordPrivateKey:
		_, ok = e.keys[nodeIndex(n)]
	case recordSecretNode:
		_, ok = e.ratchets.nodes[nodeIndex(n)]
	case recordHandshake:
		_, ok = e.ratchets.ratchets[ratchetID{LeafIndex(n), handshakeRatchet}]
	case recordApplication:
		_, ok = e.ratchets.ratchets[ratchetID{LeafIndex(n), applicationRatchet}]
	case recordPending:
		ok = int(n) < len(e.pending)
	case recordReInit:
		ok = e.reinit != nil
	}
	return ok
}

// tree writes the nodes that are not the saved ones. Nodes are never changed in place, so that comparing pointers is enough.
func (d *deltaWriter) tree(t *ratchetTree) {
	t.changesSince(d.saved.tree, func(x nodeIndex, _, is *node) {
		key := recordKey(recordNode, uint32(x))
		if is == nil {
			d.Deletes = append(d.Deletes, key)
		} else {
			d.put(key, is.encode)
		}
	})
	d.saved.tree = t
}

func (d *deltaWriter) secretTree(t *secretTree) {
	for _, x := range slices.Sorted(maps.Keys(t.dirtyNodes)) {
		key := recordKey(recordSecretNode, uint32(x))
		if secret, ok := t.nodes[x]; ok {
			d.putTracked(key, func(w *writer) { w.opaque(secret) })
		} else {
			d.delete(key)
		}
	}
	clear(t.dirtyNodes)
	for _, id := range slices.SortedFunc(maps.Keys(t.dirtyRatchets), func(a, b ratchetID) int {
		return 2*int(int64(a.leaf)-int64(b.leaf)) + int(a.kind) - int(b.kind)
	}) {
		kind := byte(recordHandshake)
		if id.kind == applicationRatchet {
			kind = recordApplication
		}
		d.putTracked(recordKey(kind, uint32(id.leaf)), t.ratchets[id].encode)
	}
	clear(t.dirtyRatchets)
}

func (d *deltaWriter) pending(list []*pendingProposal) {
	for i, p := range list {
		if i < len(d.saved.pending) && d.saved.pending[i] == p {
			continue
		}
		d.putTracked(recordKey(recordPending, uint32(i)), p.encode)
	}
	d.saved.pending = slices.Clone(list)
}

func (p *pendingProposal) encode(w *writer) {
	w.present(p.ignored)
	w.present(p.leafKey != nil)
	if p.leafKey != nil {
		w.opaque(p.leafKey.secret)
	}
	p.content.encode(w)
}

// encodeHeader writes what of an epoch is neither tree nor ratchet. The confirmation tag and the interim transcript hash follow
// from it.
func (e *epoch) encodeHeader(w *writer) {
	e.context.encode(w)
	w.uint32(uint32(e.own))
	for _, secret := range e.secrets.all() {
		w.opaque(*secret)
	}
}

func decodeHeader(r *reader) *epoch {
	e := &epoch{context: decodeGroupContext(r), own: LeafIndex(r.uint32()), secrets: &epochSecrets{}}
	s, err := e.context.suite.suite()
	if r.err == nil && err != nil {
		r.err, r.b = err, nil
	}
	for _, secret := range e.secrets.all() {
		if *secret = r.opaque(); r.err == nil && len(*secret) != s.nh {
			r.fail("a secret of the wrong length")
		}
	}
	if r.err != nil {
		return nil
	}
	e.suite = s
	return e
}

func (e *epoch) encodeKeys(w *writer) {
	start := w.open()
	for _, x := range slices.Sorted(maps.Keys(e.keys)) {
		w.uint32(uint32(x))
		w.opaque(e.keys[x].secret)
	}
	w.close(start)
}

func (e *epoch) decodeKeys(r *reader) {
	e.keys = make(privateKeys)
	last := -1
	r.each(func(r *reader) {
		x := nodeIndex(r.uint32())
		if int(x) <= last {
			r.fail("saved keys out of order")
		}
		last = int(x)
		e.keys[x] = &privateKey{secret: r.opaque()}
	})
}

// complete checks a loaded epoch as a whole and derives what was not saved.
func (e *epoch) complete() error {
	if err := e.tree.checkUnmerged(); err != nil {
		return malformed("a saved tree that is none")
	}
	if !bytes.Equal(e.tree.rootHash(), e.context.treeHash) {
		return malformed("a saved tree that is not the epoch's")
	}
	if e.tree.leaf(e.own) == nil || e.keys[e.own.node()] == nil {
		return malformed("a saved state without the own leaf")
	}
	for x := range e.keys {
		if e.tree.at(x) == nil {
			return malformed("a saved key for a blank node")
		}
	}
	if err := e.tree.count(); err != nil {
		return malformed("a saved tree that is none")
	}
	e.encoded = e.context.marshal()
	e.confirmationTag = e.suite.mac(e.secrets.confirmation, e.context.confirmedTranscriptHash)
	e.interim = e.suite.interimHash(e.context.confirmedTranscriptHash, e.confirmationTag)
	return nil
}

// encodeChanges writes the tree as what differs from base.
func (t *ratchetTree) encodeChanges(w *writer, base *ratchetTree) {
	w.uint32(t.size())
	start := w.open()
	t.changesSince(base, func(x nodeIndex, _, n *node) {
		if !t.has(x) {
			return
		}
		w.uint32(uint32(x))
		w.present(n != nil)
		if n != nil {
			n.encode(w)
		}
	})
	w.close(start)
}

func decodeChanges(r *reader, base *ratchetTree) *ratchetTree {
	size := r.uint32()
	if size == 0 || size&(size-1) != 0 || size > maxLeaves {
		r.fail("a tree of a size that none has")
		return nil
	}
	t := base.clone()
	t.resize(size)
	last := -1
	r.each(func(r *reader) {
		x := nodeIndex(r.uint32())
		if !t.has(x) || int(x) <= last {
			r.fail("a node outside of the tree, or out of order")
			return
		}
		last = int(x)
		var n *node
		if r.present() {
			n = decodeNode(r, x)
		} else if t.at(x) == nil {
			r.fail("a blank node that was blank")
		}
		t.set(x, n)
	})
	return t
}

func parseRecordKey(key string) (kind byte, n uint32, err error) {
	if key == string(recordHeader) {
		return recordHeader, 0, nil
	}
	if len(key) != 9 {
		return 0, 0, malformed("a record's key")
	}
	v, err := strconv.ParseUint(key[1:], 16, 32)
	if err != nil || recordKey(key[0], uint32(v)) != key || strings.IndexByte(recordKinds, key[0]) < 0 {
		return 0, 0, malformed("a record's key")
	}
	return key[0], uint32(v), nil
}

// LoadGroup reads a group from all of its records, in any order. cfg.Signer must hold the key of the own leaf, or ErrSigner
// is returned.
func LoadGroup(cfg Config, records iter.Seq2[string, []byte]) (*Group, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	l := &loader{records: make(map[byte]map[uint32][]byte), saved: savedState{keys: make(map[string]struct{})}}
	for key, value := range records {
		if err := l.collect(key, value); err != nil {
			return nil, err
		}
	}
	e, err := l.load()
	if err != nil {
		return nil, err
	}
	l.saved.epoch, l.saved.tree, l.saved.pending = e, e.tree, slices.Clone(e.pending)
	g := &Group{cfg: cfg, epoch: e, saved: l.saved}
	if err := g.checkSigner(); err != nil {
		return nil, err
	}
	return g, nil
}
