//go:build unix

package main

import (
	"os"
	"syscall"
)

// reloadSignals make a tunnel read its routes again.
var reloadSignals = []os.Signal{syscall.SIGHUP}
