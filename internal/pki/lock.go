package pki

import (
	"errors"
	"time"
)

const (
	// lockPatience is how long to wait for another process: each is done within milliseconds, but for the time that it
	// takes to derive a key from a passphrase, which it does first.
	lockPatience = 10 * time.Second
	lockPause    = 10 * time.Millisecond
)

// ErrBusy says that another process has been at work on the authority for too long.
var ErrBusy = errors.New("pki: another process is at work on this authority")
