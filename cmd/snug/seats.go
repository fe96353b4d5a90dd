package main

import (
	"fmt"
	"net"
	"strings"
	"sync"

	"snug/mtls"
)

const (
	// defaultCommands is how many connections `snug listen --keep` has at a time: a shell and its pipes take a few MiB.
	defaultCommands = 64
	// defaultStreams is how many of them one peer has, so that it takes four to keep all others out.
	defaultStreams = 16
)

// seats are the connections that a listener has at a time, in all and of one peer.
type seats struct {
	most, ofPeer int

	taken struct {
		sync.Mutex
		all int
		of  map[string]int
	}
}

// take takes a seat for a peer until leave is called.
func (p *seats) take(peer string) (leave func(), err error) {
	p.taken.Lock()
	defer p.taken.Unlock()
	switch {
	case p.taken.of[peer] >= p.ofPeer:
		return nil, fmt.Errorf("%s has %d connections already, as many as one peer may have", peer, p.ofPeer)
	case p.taken.all >= p.most:
		return nil, fmt.Errorf("there are %d connections already, as many as there may be", p.most)
	}
	if p.taken.of == nil {
		p.taken.of = make(map[string]int)
	}
	p.taken.all++
	p.taken.of[peer]++
	return func() { p.leave(peer) }, nil
}

func (p *seats) leave(peer string) {
	p.taken.Lock()
	defer p.taken.Unlock()
	p.taken.all--
	if p.taken.of[peer]--; p.taken.of[peer] == 0 {
		delete(p.taken.of, peer)
	}
}

// seat gives what finds a seat for a peer that was accepted.
func (a *admission) seat(c *call, p *seats) func(mtls.Peer, net.Addr) (func(), error) {
	return func(peer mtls.Peer, remote net.Addr) (func(), error) {
		leave, err := p.take(a.countedAs(c, peer, remote))
		if err != nil {
			return nil, err
		}
		return func() {
			a.names.Delete(arrival{remote.String(), peer.Fingerprint})
			leave()
		}, nil
	}
}

// countedAs is what a peer's connections are counted under: what it was let in as. A key would not do where keys cost
// nothing: whoever has a token can make as many as they like.
func (a *admission) countedAs(c *call, peer mtls.Peer, remote net.Addr) string {
	if name, ok := a.names.Load(arrival{remote.String(), peer.Fingerprint}); ok {
		return name.(string)
	}
	if names := peer.Names(); len(names) > 0 {
		for _, name := range a.expected {
			if peer.Has(name) {
				return name.String()
			}
		}
		var texts []string
		for _, name := range names {
			texts = append(texts, name.String())
		}
		return strings.Join(texts, " ")
	}
	if name := c.nameOf(peer.Fingerprint); name != "" {
		return name
	}
	return peer.Fingerprint.String()
}
