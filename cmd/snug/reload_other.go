//go:build !unix

package main

import "os"

// reloadSignals are none here.
var reloadSignals []os.Signal
