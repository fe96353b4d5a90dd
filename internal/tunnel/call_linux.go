//go:build linux && !race

package tunnel

import (
	"syscall"
	"unsafe"
)

// The runtime does not know of the calls below. It prepares for one that may wait, and wakes the thread that watches over
// those and over goroutines that run for too long (sysmon) whenever it sleeps, which between two messages of a quiet
// tunnel it always does: a switch of threads for each of them, before anything else happens. These never wait, because the
// descriptor does not block, and take as long as it takes to copy a buffer at most. So that the thread hears of who goes on
// and on, a read after maxStreak bytes is a usual one. The race detector has to know of all: under it there are no others.

func sysRead(fd uintptr, b []byte) (int, error)  { return rawCall(syscall.SYS_READ, fd, b) }
func sysWrite(fd uintptr, b []byte) (int, error) { return rawCall(syscall.SYS_WRITE, fd, b) }

func rawCall(call, fd uintptr, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
