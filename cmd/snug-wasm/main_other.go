//go:build !js

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "snug-wasm: this program runs in a browser's worker; build it with `make web`")
	os.Exit(2)
}
