package tunnel

import (
	"os"
	"sync"
	"syscall"
)

// A parker waits for connections that are quiet, with some bytes for each where a goroutine has a stack. It has an epoll
// of its own, which the runtime's poller waits for as for any other descriptor.
type parker struct {
	file    *os.File
	fd      int // file's; it is open for as long as anybody may park
	running sync.WaitGroup

	parked struct {
		sync.Mutex
		last    uint64
		resumes map[uint64]func()
	}
}

// newParker gives nil where the system has no room for one: nothing is parked then.
func newParker() *parker {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return nil
	}
	p := &parker{file: os.NewFile(uintptr(fd), "epoll"), fd: fd}
	p.parked.resumes = make(map[uint64]func())
	raw, err := p.file.SyscallConn()
	if err != nil {
		p.file.Close()
		return nil
	}
	p.running.Go(func() { raw.Read(p.poll) })
	return p
}

// poll resumes whoever has something to read. It always asks to be called again.
func (p *parker) poll(fd uintptr) bool {
	var events [128]syscall.EpollEvent
	for {
		n, err := syscall.EpollWait(int(fd), events[:], 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return false
		}
		for _, e := range events[:n] {
			p.resume(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32)
		}
	}
}

// park calls resume once in a goroutine of its own, when there is something to read or by wake with the ticket. 0 is no
// ticket: it could not be parked.
func (p *parker) park(raw syscall.RawConn, resume func()) (ticket uint64) {
	p.parked.Lock()
	p.parked.last++
	ticket = p.parked.last
	p.parked.resumes[ticket] = resume
	p.parked.Unlock()
	event := syscall.EpollEvent{
		Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: int32(uint32(ticket)), Pad: int32(uint32(ticket >> 32)),
	}
	var failed error
	err := raw.Control(func(fd uintptr) { failed = p.register(int(fd), &event) })
	if err == nil {
		err = failed
	}
	if err != nil && p.take(ticket) != nil {
		return 0
	}
	return ticket
}

// register waits for one event of a descriptor, which may be known from an earlier time.
func (p *parker) register(fd int, event *syscall.EpollEvent) error {
	err := syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_ADD, fd, event)
	if err == syscall.EEXIST {
		err = syscall.EpollCtl(p.fd, syscall.EPOLL_CTL_MOD, fd, event)
	}
	return err
}

func (p *parker) take(ticket uint64) func() {
	p.parked.Lock()
	defer p.parked.Unlock()
	resume := p.parked.resumes[ticket]
	delete(p.parked.resumes, ticket)
	return resume
}

// resume resumes whoever has the ticket, if nobody has yet.
func (p *parker) resume(ticket uint64) {
	if resume := p.take(ticket); resume != nil {
		go resume()
	}
}

// close ends it. Nobody may be parked any more.
func (p *parker) close() {
	p.file.Close()
	p.running.Wait()
}
