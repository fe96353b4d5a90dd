package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lxzan/gws"

	"snug/internal/ident"
	"snug/mtls"
)

// echoVerb makes this program the echo server: a process of its own, as the server is.
const echoVerb = "echo"

// EchoBound is how many messages as large as a submit go to a server and back, when the server does nothing but
// return them over the same mutual TLS and the same WebSocket library.
type EchoBound struct {
	Connections int     `json:"connections"`
	Window      int     `json:"window"`
	PerSecond   float64 `json:"messages_per_second"`
	RoundTrip   Latency `json:"round_trip"`
	ServerCPU   float64 `json:"server_cpu_us_per_message"`
}

// echo is what the library does with the echo server's messages.
type echo struct{ gws.BuiltinEventHandler }

// OnMessage returns a message.
func (echo) OnMessage(socket *gws.Conn, message *gws.Message) {
	defer message.Close()
	if err := socket.WriteMessage(message.Opcode, message.Bytes()); err != nil {
		socket.NetConn().Close()
	}
}

// serveEcho runs the echo server until TERM.
func serveEcho() error {
	identity, err := mtls.Generate()
	if err != nil {
		return err
	}
	config, err := mtls.ServerTLS(identity, nil)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go gws.NewServer(echo{}, nil).RunListener(tls.NewListener(listener, config))
	line := ready{Event: "ready", TLS: listener.Addr().String(), Pin: identity.Fingerprint().String()}
	if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	<-stop
	return nil
}

// measureEcho starts the echo server and measures it with each number of connections and each window.
func (b *bench) measureEcho() ([]EchoBound, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("measuring the echo: %w", err)
	}
	server, err := serve(b.directory, self, echoVerb)
	if err != nil {
		return nil, err
	}
	defer server.kill()
	key, err := ident.NewDeviceKey(ident.Random())
	if err != nil {
		return nil, err
	}
	d, err := newDevice(server, key)
	if err != nil {
		return nil, err
	}
	var bounds []EchoBound
	for _, connections := range b.plan.senders {
		for _, window := range b.plan.windows {
			bound, err := b.echoOnce(server, d, connections, window)
			if err != nil {
				return nil, fmt.Errorf("measuring the echo: %w", err)
			}
			bounds = append(bounds, bound)
		}
	}
	return bounds, nil
}

func (b *bench) echoOnce(server *process, d *device, connections, window int) (EchoBound, error) {
	message, err := sampleSubmit(d, b.plan.payload)
	if err != nil {
		return EchoBound{}, err
	}
	echoers := make([]*echoer, connections)
	err = each(connections, connecting, func(i int) error {
		conn, err := dialTLS(d.address, d.tls)
		if err != nil {
			return err
		}
		s, err := upgrade(conn, d.address, readBuffer)
		echoers[i] = &echoer{socket: s, message: message, sent: make([]int64, window), clock: b.clock}
		return err
	})
	if err != nil {
		return EchoBound{}, err
	}
	during := b.intervalOf(b.plan.bound)
	var c crew
	for _, e := range echoers {
		e.interval = during
		defer e.socket.close()
		c.run(e.run)
	}
	used, usedErr := b.usageDuring(server, during)
	if err := c.done(); err != nil {
		return EchoBound{}, err
	}
	var trips histogram
	for _, e := range echoers {
		trips.merge(&e.trips)
	}
	return EchoBound{
		Connections: connections, Window: window, PerSecond: float64(trips.count) / during.seconds(),
		RoundTrip: trips.latency(), ServerCPU: perMessage(used.server, trips.count),
	}, usedErr
}

// sampleSubmit gives a message of the size that a sender sends, in its WebSocket frame.
func sampleSubmit(d *device, payload int) ([]byte, error) {
	draft, err := newDraft(&room{sender: d}, 1, make([]byte, payload-stampSize))
	if err != nil {
		return nil, err
	}
	return draft.bytes, nil
}

// echoer keeps a window of messages on the way to the echo server and back.
type echoer struct {
	socket   *socket
	message  []byte
	sent     []int64 // when each message of the window was sent; they come back in order
	out      []byte
	clock    clock
	interval interval
	trips    histogram
}

func (e *echoer) run() error {
	if err := e.socket.conn.SetDeadline(time.Now().Add(e.interval.left(e.clock) + stepTimeout)); err != nil {
		return err
	}
	now := e.clock.now()
	for i := range e.sent {
		e.sent[i] = now
		e.out = append(e.out, e.message...)
	}
	for pending, first := len(e.sent), 0; pending > 0; {
		if err := e.socket.write(e.out); err != nil {
			return err
		}
		e.out = e.out[:0]
		for waited := false; !waited || e.socket.ready(); waited = true {
			if _, err := e.socket.next(); err != nil {
				return err
			}
			now = e.clock.now()
			if e.interval.has(now) {
				e.trips.add(time.Duration(now - e.sent[first]))
			}
			pending--
			if now < e.interval.until {
				e.sent[first] = now
				e.out = append(e.out, e.message...)
				pending++
			}
			first = (first + 1) % len(e.sent)
		}
	}
	return nil
}
