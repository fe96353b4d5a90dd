package mls

import (
	"bytes"
	"maps"
	"slices"
)

// A loader puts a group together from its records.
type loader struct {
	unprintable
	records map[byte]map[uint32][]byte
	saved   savedState
}

// collect sorts a record by its kind.
func (l *loader) collect(key string, value []byte) error {
	kind, n, err := parseRecordKey(key)
	if err != nil {
		return err
	}
	if l.records[kind] == nil {
		l.records[kind] = make(map[uint32][]byte)
	}
	l.records[kind][n] = bytes.Clone(value)
	if kind != recordHeader && kind != recordNode {
		l.saved.keys[key] = struct{}{}
	}
	return nil
}

// each reads the records of a kind in order.
func (l *loader) each(kind byte, read func(r *reader, n uint32)) error {
	for _, n := range slices.Sorted(maps.Keys(l.records[kind])) {
		r := reader{b: l.records[kind][n]}
		readVersion(&r)
		read(&r, n)
		if err := r.end(); err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) load() (*epoch, error) {
	var e *epoch
	if err := l.each(recordHeader, func(r *reader, _ uint32) { e = decodeHeader(r) }); err != nil {
		return nil, err
	}
	if e == nil {
		return nil, malformed("saved state without a header")
	}
	if err := l.loadTree(e); err != nil {
		return nil, err
	}
	e.keys = make(privateKeys)
	err := l.each(recordPrivateKey, func(r *reader, n uint32) {
		e.keys[nodeIndex(n)] = &privateKey{secret: r.opaque()}
	})
	if err != nil {
		return nil, err
	}
	if err := e.complete(); err != nil {
		return nil, err
	}
	if err := l.loadSecretTree(e); err != nil {
		return nil, err
	}
	if err := l.each(recordReInit, func(r *reader, n uint32) {
		if e.reinit = decodeReInit(r); n != 0 {
			r.fail("a second reinit")
		}
	}); err != nil {
		return nil, err
	}
	return e, l.loadPending(e)
}

func (l *loader) loadTree(e *epoch) error {
	if len(l.records[recordNode]) == 0 {
		return malformed("saved state without a tree")
	}
	last := slices.Max(slices.Collect(maps.Keys(l.records[recordNode])))
	if last >= uint32(widthOf(maxLeaves)) {
		return malformed("a tree that is too large")
	}
	e.tree = &ratchetTree{suite: e.suite, width: fullSize((last + 3) / 2)}
	return l.each(recordNode, func(r *reader, n uint32) { e.tree.set(nodeIndex(n), decodeNode(r, nodeIndex(n))) })
}

func (l *loader) loadSecretTree(e *epoch) error {
	t := emptySecretTree(e.suite, e.tree.size())
	e.ratchets = t
	err := l.each(recordSecretNode, func(r *reader, n uint32) {
		secret := Secret(r.opaque())
		if !e.tree.has(nodeIndex(n)) || len(secret) != e.suite.nh {
			r.fail("a secret for no node")
			return
		}
		t.nodes[nodeIndex(n)] = secret
	})
	if err != nil {
		return err
	}
	for kind, id := range map[byte]ratchetKind{recordHandshake: handshakeRatchet, recordApplication: applicationRatchet} {
		err := l.each(kind, func(r *reader, n uint32) {
			if n >= e.tree.size() {
				r.fail("a ratchet for no leaf")
				return
			}
			t.ratchets[ratchetID{LeafIndex(n), id}] = decodeRatchet(e.suite, r)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *loader) loadPending(e *epoch) error {
	return l.each(recordPending, func(r *reader, n uint32) {
		ignored := r.present()
		var leafKey *privateKey
		if r.present() {
			leafKey = &privateKey{secret: r.opaque()}
		}
		a := decodeAuthenticatedContent(r)
		if r.err != nil {
			return
		}
		from := a.content.sender
		if a.content.contentType != ContentProposal || int(n) != len(e.pending) || from.mayPropose(a.content.proposal) != nil ||
			from.kind == SenderNewMemberCommit || from.kind == SenderMember && e.tree.leaf(from.leaf()) == nil {
			r.fail("a pending proposal that is none")
			return
		}
		p, err := e.pendingProposal(a, leafKey)
		if err != nil || e.checkRoom(p) != nil {
			r.fail("a pending proposal too many, or one that is none")
			return
		}
		p.ignored = ignored
		e.pending = append(e.pending, p)
	})
}
