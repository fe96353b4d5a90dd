//go:build !unix

package tunnel

import "errors"

const canPoll = false

var errNothing = errors.New("tunnel: nothing to read")

func readNow(uintptr, []byte, bool) (int, error) {
	panic("tunnel: internal error: no descriptor to read")
}

func writeNow(uintptr, []byte) (int, error) { panic("tunnel: internal error: no descriptor to write") }

func isSilent(uintptr) bool { return false }
