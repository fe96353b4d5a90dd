package client

import "io"

type coreConfig struct {
	rand         io.Reader
	agent        string
	provesDevice bool
}

// Core is the state machine.
type Core struct{ cfg coreConfig }

type input interface{ input() }

func newCore(cfg coreConfig) *Core { return &Core{cfg: cfg} }
