//go:build unix

package tunnel

import (
	"errors"
	"syscall"
)

// canPoll says that a socket can be read and written without waiting.
const canPoll = true

// errNothing says that nothing has come yet, or that there is no room for what is to go.
var errNothing = errors.New("tunnel: nothing to read, or no room to write")

// readNow reads what there is, and never waits: the runtime has made the descriptor non-blocking. known says whether the
// runtime is to know of it.
func readNow(fd uintptr, b []byte, known bool) (int, error) {
	if known {
		return now(knownRead, fd, b)
	}
	return now(sysRead, fd, b)
}

// writeNow writes what there is room for, and never waits.
func writeNow(fd uintptr, b []byte) (int, error) { return now(sysWrite, fd, b) }

func knownRead(fd uintptr, b []byte) (int, error) { return syscall.Read(int(fd), b) }

func now(call func(fd uintptr, b []byte) (int, error), fd uintptr, b []byte) (int, error) {
	for {
		n, err := call(fd, b)
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
