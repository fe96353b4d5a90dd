//go:build !unix

package main_test

import "syscall"

// alone has nothing to do: there is no /dev/tty.
var alone *syscall.SysProcAttr
