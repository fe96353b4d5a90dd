package mls

import (
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// check verifies a whole tree, as when joining (RFC 9420, Section 12.4.3.1): its shape, its parent hashes and all leaves. Whose
// the leaves are is not asked here.
func (t *ratchetTree) check(groupID []byte, extensions Extensions) error {
	if err := t.checkUnmerged(); err != nil {
		return err
	}
	if err := t.checkParentHashes(); err != nil {
		return err
	}
	required, err := extensions.requiredCapabilities()
	if err != nil {
		return err
	}
	for _, n := range t.all() {
		if err := t.suite.checkUsable(n.encryptionKey()); err != nil {
			return err
		}
		if n.leaf == nil {
			continue
		}
		if err := n.leaf.check(t.suite, required, extensions); err != nil {
			return err
		}
	}
	if err := t.verifyLeaves(groupID); err != nil {
		return err
	}
	return t.count()
}

// verifyLeaves verifies the signatures of all leaves, which is most of the work of joining, on all processors at once.
func (t *ratchetTree) verifyLeaves(groupID []byte) error {
	var next atomic.Uint32
	var failed atomic.Bool
	work := func() {
		for !failed.Load() {
			i := LeafIndex(next.Add(1) - 1)
			if uint32(i) >= t.size() {
				return
			}
			if l := t.leaf(i); l != nil && l.verify(t.suite, groupID, i) != nil {
				failed.Store(true)
			}
		}
	}
	var others sync.WaitGroup
	// A goroutine for fewer than 16 signatures costs more than it saves.
	for range min(runtime.GOMAXPROCS(0), int(t.size()/16)) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
	if failed.Load() {
		return ErrVerify
	}
	return nil
}

// checkUnmerged verifies the lists of unmerged leaves. Until it has passed, resolutions must not be computed: it keeps
// them inside the tree.
func (t *ratchetTree) checkUnmerged() error {
	for x, n := range t.all() {
		if n.parent == nil {
			continue
		}
		for _, i := range n.parent.unmerged {
			if t.leaf(i) == nil || !i.node().under(x) {
				return invalid("12.4.3.1", "an unmerged leaf is not a member below its node")
			}
			for y := i.node().parent(); y != x; y = y.parent() {
				if below := t.at(y); below != nil && !below.parent.lacks(i) {
					return invalid("12.4.3.1", "an unmerged leaf is missing in a node between")
				}
			}
		}
	}
	return nil
}

// lacks tells whether the leaf is unmerged: it does not know the node's private key.
func (p *parentNode) lacks(i LeafIndex) bool {
	_, found := slices.BinarySearch(p.unmerged, i)
	return found
}

// keySeed makes keyHash one that nobody outside of this process can foretell: a tree full of keys that share their first bytes must
// cost no more to check than another.
var keySeed = maphash.MakeSeed()

// keyHash tells which few keys may be equal.
func keyHash(key []byte) uint64 { return maphash.Bytes(keySeed, key) }

// keyHash is that of the encryption key, which with ML-KEM has more than a thousand bytes.
func (n *node) keyHash() uint64 {
	h := n.hashed.Load()
	if h == 0 {
		h = keyHash(n.encryptionKey())
		n.hashed.Store(h)
	}
	return h
}

// checkContext verifies that all members support the GroupContext extensions and what these require.
func (t *ratchetTree) checkContext(extensions Extensions) error {
	required, err := extensions.requiredCapabilities()
	if err != nil {
		return err
	}
	for _, l := range t.leaves() {
		if err := l.check(t.suite, required, extensions); err != nil {
			return err
		}
	}
	return nil
}
