package tunnel

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"snug/mtls"
)

// For tests in the package beside this one.

// Patience bounds every wait of the tests; nothing is expected to come near it.
const Patience = 3 * time.Minute

// None of the tests is about these times, and none may end by them because the machine has other things to do.
func init() {
	handshakeTimeout, connectTimeout, openTimeout, proxyTimeout = Patience, Patience, Patience, Patience
	answerTimeout = Patience
}

type (
	Decoder = decoder
	Event   = event
	Kind    = kind
	TLV     = tlv
)

const (
	KindOpen, KindAccept, KindRefuse, KindData, KindEnd, KindReset = kindOpen, kindAccept, kindRefuse, kindData, kindEnd, kindReset
	MaxData, HeaderSize                                            = maxData, headerSize
	MaxPerAddress, MaxHandshakes                                   = maxPerAddress, maxHandshakes
	SweepEvery, RereadEvery                                        = sweepEvery, rereadEvery
)

var (
	ErrFrame = errFrame
	ErrProxy = errProxy
)

func NewDecoder(accepting bool) *Decoder { return &decoder{accepting: accepting} }

func (d *decoder) Next(b []byte) (event, []byte, error) { return d.next(b) }
func (d *decoder) Await(n uint64)                       { d.await(n) }
func (d *decoder) Refused()                             { d.refused() }
func (d *decoder) Whole() bool                          { return d.whole() }
func (e event) Kind() Kind                              { return e.kind }
func (e event) Data() []byte                            { return e.data }

func AppendControl(b []byte, k Kind, number uint64, why byte) []byte {
	return appendControl(b, k, number, reason(why))
}

func AppendData(b, data []byte) []byte {
	header := make([]byte, headerSize)
	putHeader(header, len(data))
	return append(append(b, header...), data...)
}

func ProxyHeader(source, destination netip.AddrPort, tlvs ...TLV) []byte {
	return (&proxyHeader{source, destination, tlvs}).append(nil)
}

func MakeTLV(kind byte, value string) TLV { return tlv{kind, []byte(value)} }

func ReadProxy(r io.Reader) (source, destination netip.AddrPort, tlvs []TLV, err error) {
	h, err := readProxy(r)
	if err != nil {
		return source, destination, nil, err
	}
	return h.source, h.destination, h.tlvs, nil
}

func JudgeTarget(r Route, a netip.Addr) error { return newTarget(&r).judge(a) }

func NewLimiter(rate int64) func(n int, now time.Time) time.Duration { return newLimiter(rate).take }

// Advice gives side, problem and what to try of a rule, of what the far end shows and of what we show.
func Advice(r mtls.Rule) (theirs, ours [3]string) {
	t, o := ofTheirs[r], ofOurs[r]
	return [3]string{t.side, t.problem, t.try}, [3]string{o.side, o.problem, o.try}
}

func OfTLV(t TLV) (byte, string) { return t.kind, string(t.value) }

// Idle counts the carriers that wait for a stream.
func (t *Tunnel) Idle(route string) int {
	t.at.Lock()
	defer t.at.Unlock()
	c := &t.at.routes[route].idle.carriers
	c.Lock()
	defer c.Unlock()
	return len(c.idle)
}

// Take begins with a connection that has come to a route.
func (t *Tunnel) Take(route string, conn net.Conn) bool {
	t.at.Lock()
	r := t.at.routes[route]
	t.at.Unlock()
	return r.take(t.hard, conn)
}

// Renewing reports whether a route's certificate is being renewed.
func (t *Tunnel) Renewing(route string) bool {
	t.at.Lock()
	defer t.at.Unlock()
	return t.at.routes[route].renewal.underway.Load()
}

// Held counts the connections that have come to a route and are not in yet.
func (t *Tunnel) Held(route string) int {
	t.at.Lock()
	r := t.at.routes[route]
	t.at.Unlock()
	r.live.Lock()
	defer r.live.Unlock()
	return len(r.live.plain)
}

// NewPace gives what sets how often garbage is collected, by how many handshakes are under way.
func NewPace() func(handshaking int) { return new(collecting).pace }

const Crowd = crowd

// A Line is what lies under TLS, as far as gathering goes.
type Line struct{ l *line }

func NewLine(conn net.Conn) Line { return Line{newLine(conn)} }

const SendRoom = sendRoom

func (l Line) Gather(b []byte, n int)           { l.l.gather(b, n) }
func (l Line) Write(record []byte) (int, error) { return l.l.Write(record) }
func (l Line) Flush() error                     { return l.l.flush() }
func (l Line) Hold()                            { l.l.hold() }
func (l Line) Fill() error                      { return l.l.fill() }
func (l Line) Release() error                   { return l.l.release() }
func (l Line) Drop()                            { l.l.discard() }

var (
	TakeBuffer, GiveBuffer = takeBuffer, giveBuffer
	Accept                 = accept
)

// SetMaxLarge sets how many large buffers there may be, and gives what was set before.
func SetMaxLarge(n int64) int64 { return maxLarge.Swap(n) }

// LargeTaken counts the large buffers in use.
func LargeTaken() int64 { return largeTaken.Load() }

// Waiting accepts a connection of TLS that waits for its next stream: read does, end ends it.
func Waiting(conn net.Conn, config *tls.Config) (read func() error, end func()) {
	l := &link{line: newLine(conn)}
	l.tls = tls.Server(l.line, config)
	return l.fill, l.close
}

// Receive accepts a connection of TLS and reads it as a link does, with large buffers from the beginning, until its end.
func Receive(conn net.Conn, config *tls.Config, take func([]byte)) error {
	l := &link{line: newLine(conn)}
	l.line.source.flow = true
	l.tls = tls.Server(l.line, config)
	for {
		if err := l.fill(); err != nil {
			return err
		}
		take(l.in[l.r:l.w])
		l.r = l.w
		l.drained()
		if l.line.in == nil != (l.line.r == l.line.w) {
			return errors.New("a buffer without anything in it")
		}
	}
}
