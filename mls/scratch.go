package mls

import "sync"

// A scratch is the memory that one message needs on its way and nobody sees: what is signed, the padded plaintext, keys. What
// goes into the standard library through an interface has to lie on the heap, so that without it a message would cost
// some eighty allocations. It is wiped before it goes back.
type scratch struct {
	unprintable
	signed, plain, aad writer
	room               keyRoom
	nonce              [nonceSize]byte
}

// A keyRoom is where a messageKey that is used at once can lie.
type keyRoom struct {
	unprintable
	key   [maxKey]byte
	nonce [nonceSize]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func takeScratch() *scratch { return scratches.Get().(*scratch) }

func (c *scratch) release() {
	c.signed.wipe()
	c.plain.wipe()
	c.aad.wipe()
	c.room, c.nonce = keyRoom{}, [nonceSize]byte{}
	scratches.Put(c)
}

// maxScratch is the greatest buffer that is kept for the next message: that of a frame of 64 KiB. A commit or an attachment of
// some megabytes must not stay in memory for ever.
const maxScratch = 1 << 17

// wipe empties the writer and overwrites what it held. Growing leaves earlier, shorter buffers to the garbage collector as
// they are; the buffers of a scratch soon have their size.
func (w *writer) wipe() {
	clear(w.b)
	w.b = w.b[:0]
	if cap(w.b) > maxScratch {
		w.b = nil
	}
}

// grow makes room for n more bytes.
func (w *writer) grow(n int) {
	if cap(w.b)-len(w.b) < n {
		grown := make([]byte, len(w.b), len(w.b)+n)
		copy(grown, w.b)
		clear(w.b)
		w.b = grown
	}
}
