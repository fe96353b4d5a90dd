package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"net"
	"strings"
	"sync"
	"syscall"

	"snug/client"
	"snug/mtls"
)

// errNobodyCame ends a listener that was interrupted: what it should have received is not there.
var errNobodyCame = errors.New("interrupted before anybody came")

// A listening is what the flags of listen ask for.
type listening struct {
	*socketFlags
	// exec is the shell's line to join each peer with; empty for stdin and stdout.
	exec string
	// keep goes on after the first peer.
	keep bool
	// commands and streams are how many connections there are at a time then, in all and of one peer.
	commands, streams int
}

func listenFlags(set *flag.FlagSet) action {
	addHome(set)
	l := listening{socketFlags: addSocketFlags(set, true)}
	set.StringVar(&l.exec, "exec", "", "join the peer with this `COMMAND` of the shell; it finds the peer's key in SNUG_PEER and name in SNUG_PEER_NAME")
	set.BoolVar(&l.keep, "keep", false, "with --exec: go on listening, and run the command for each peer that comes")
	set.IntVar(&l.commands, "commands", defaultCommands, "with --keep: how `many` connections there are at a time; more are refused")
	set.IntVar(&l.streams, "streams", defaultStreams, "with --keep: how `many` of them one peer has")
	return l.run
}

// run waits for the one peer. Others are refused and the waiting goes on: whoever finds the port must not be able to
// end it.
func (l *listening) run(ctx context.Context, c *call) error {
	if err := l.check(c); err != nil {
		return err
	}
	waiting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	a, err := c.admission(ctx, l.socketFlags, true, giveUp)
	if err != nil {
		return err
	}
	defer a.end()
	listener, err := a.listen(ctx, c, l.seats())
	if err != nil {
		return err
	}
	defer listener.Close()
	ended := context.AfterFunc(waiting, func() { listener.Close() })
	defer ended()
	c.tell(socketEvent{Event: "listening", Addr: listener.Addr().String()}, "listening on %s; this is %s", listener.Addr(), a.ours())
	if a.announce != nil {
		a.announce()
	}
	if l.keep {
		return l.serve(ctx, c, a, listener)
	}
	conn, err := listener.AcceptConn()
	switch {
	case ctx.Err() != nil:
		return &cutError{errNobodyCame}
	case err != nil && waiting.Err() != nil:
		return context.Cause(waiting)
	case err != nil:
		return err
	}
	listener.Close()
	return c.failed(conn, l.join(ctx, c, a, conn))
}

// check refuses what does not go together.
func (l *listening) check(c *call) error {
	if _, _, err := net.SplitHostPort(c.args[0]); err != nil {
		return usageErrorf("snug "+c.verb.example, "%q is no address to listen on: HOST:PORT or :PORT", c.args[0])
	}
	if l.keep && l.exec == "" {
		return usageErrorf("snug listen :9000 --peer FINGERPRINT --keep --exec COMMAND", "--keep needs --exec: stdin and stdout are there once")
	}
	if l.keep && l.password {
		return usageErrorf("snug listen :9000 --password --remember bob", "--keep and --password: a password lets in one peer, and once")
	}
	if !l.keep && (l.commands != defaultCommands || l.streams != defaultStreams) {
		return usageErrorf("snug listen :9000 --peer FINGERPRINT --keep --exec COMMAND --streams 4", "--commands and --streams need --keep: else there is one connection")
	}
	if l.commands < 1 || l.streams < 1 {
		return usageErrorf("snug listen :9000 --peer FINGERPRINT --keep --exec COMMAND --streams 4", "--commands and --streams: at least 1")
	}
	return l.socketFlags.check(c, true)
}

// seats are those that there are: one, where there is one stdin.
func (l *listening) seats() *seats {
	if !l.keep {
		return &seats{most: 1, ofPeer: 1}
	}
	return &seats{most: l.commands, ofPeer: l.streams}
}

// listen begins.
func (a *admission) listen(ctx context.Context, c *call, p *seats) (*mtls.Listener, error) {
	listener, err := mtls.Listen(ctx, "tcp", c.args[0], &mtls.ListenerOptions{
		Live: a.live, Identity: a.identity, Protocols: []string{a.protocol}, Patience: a.patience, DecideUnverified: a.decide,
		Admit: a.seat(c, p),
		Refused: func(remote net.Addr, err error) {
			c.refused(remote, err)
			a.forget(remote)
			if a.refused != nil {
				a.refused(remote, err)
			}
		},
	})
	if err != nil {
		return nil, listenError(c.args[0], err)
	}
	return listener, nil
}

const hintOfPort = "an address is HOST:PORT, and a port a number of 0 to 65535"

// noPort reports whether an address cannot be one.
func noPort(err error) bool {
	var malformed *net.AddrError
	return errors.As(err, &malformed)
}

// listenError says what a person can do about an address that cannot be listened on.
func listenError(addr string, err error) error {
	return &client.Error{Message: "listening on " + addr + ": " + strings.TrimPrefix(err.Error(), "mtls: listening: "), Hint: hintOfListening(err)}
}

// hintOfListening is what to do about an address that cannot be listened on, or "".
func hintOfListening(err error) string {
	switch {
	case noPort(err):
		return hintOfPort
	case errors.Is(err, syscall.EADDRINUSE):
		return "something listens there already; :0 finds a port that is free"
	case errors.Is(err, fs.ErrPermission):
		return "ports below 1024 are the administrator's"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "that is no address of this machine; :PORT is all of them"
	}
	return ""
}

// serve runs the command for each peer that comes, until it is stopped, which is no failure.
func (l *listening) serve(ctx context.Context, c *call, a *admission, listener *mtls.Listener) error {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		conn, err := listener.AcceptConn()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		running.Go(func() {
			if err := l.join(ctx, c, a, conn); err != nil {
				peer := conn.Peer().Fingerprint.String()
				c.tell(socketEvent{Event: "failed", Peer: peer, Reason: err.Error()}, "%s: %v", peer, err)
			}
		})
	}
}

// join joins an accepted peer with what the flags say.
func (l *listening) join(ctx context.Context, c *call, a *admission, conn *mtls.Conn) error {
	name, err := c.connected(a, conn, false)
	if err != nil {
		conn.NetConn().Close()
		return err
	}
	if l.exec != "" {
		return c.joinCommand(ctx, l.exec, conn, name)
	}
	return c.joinStreams(ctx, conn, true)
}

// refused tells of somebody who is not the peer.
func (c *call) refused(remote net.Addr, err error) {
	reason := reasonOf(err)
	c.tell(socketEvent{Event: "refused", Addr: remote.String(), Reason: reason}, "refused %s: %s", remote, safe(reason))
}
