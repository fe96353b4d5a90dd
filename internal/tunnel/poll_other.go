//go:build !unix

package tunnel

import "errors"

const canPoll = false

var errNothing = errors.New("tunnel: nothing to read")

func readNow(uintptr, []byte) (int, error) { panic("tunnel: internal error: no descriptor to read") }

func isSilent(uintptr) bool { return false }
