//go:build !linux

package tunnel

import "syscall"

// A parker does nothing here: who waits has a goroutine.
type parker struct{}

func newParker() *parker { return nil }

func (p *parker) park(syscall.RawConn, func()) uint64 { return 0 }

func (p *parker) resume(uint64) {}

func (p *parker) close() {}
