//go:build unix

package tunnel

import (
	"errors"
	"syscall"
)

// canPoll says that a socket can be read without waiting.
const canPoll = true

// errNothing says that nothing has come yet.
var errNothing = errors.New("tunnel: nothing to read")

// readNow reads what there is, and never waits: the runtime has made the descriptor non-blocking.
func readNow(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), b)
		switch err {
		case nil:
			return n, nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, errNothing
		}
		return 0, err
	}
}

// isSilent looks without taking anything out.
func isSilent(fd uintptr) bool {
	var b [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		if err == syscall.EINTR {
			continue
		}
		return err == syscall.EAGAIN
	}
}
