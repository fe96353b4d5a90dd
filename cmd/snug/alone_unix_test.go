//go:build unix

package main_test

import "syscall"

// alone keeps a command away from the terminal of whoever runs the tests: it has none to ask on.
var alone = &syscall.SysProcAttr{Setsid: true}
