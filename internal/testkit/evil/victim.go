package evil

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/lxzan/gws"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/testkit"
	"snug/internal/wire"
)

// Told takes a frame on its way to the victim and gives what is said in its place: nothing, other things, more. The
// frame is its own.
type Told func(*wire.ServerFrame) []*wire.ServerFrame

// Asked takes a request on its way to the real server. What it gives is sent on instead, nil is not; the answers are
// given to the victim at once.
type Asked func(*wire.ClientFrame) (forward *wire.ClientFrame, answers []*wire.ServerFrame)

// Victim is one client as the operator sees it: a client.Transport whose frames pass through the operator's hands. Where
// nothing is said the service is honest.
type Victim struct {
	mu    sync.Mutex // guards all below
	house *house
	lines map[*line]bool
	told  Told
	asked Asked
	// heard are the frames that the victim was sent, in order.
	heard   []*wire.ServerFrame
	stories map[ident.RoomID]*story
	// requests are those of the connection that a story has to know.
	requests map[uint64]asking
	// spoken are the requests in the victim's name that are not answered; said numbers them.
	spoken map[uint64]chan *wire.ServerFrame
	said   uint64
}

var _ client.Transport = (*Victim)(nil)

// Victim gives the way to the service for one more client.
func (s *Service) Victim() *Victim {
	v := &Victim{house: s.main, lines: make(map[*line]bool), stories: make(map[ident.RoomID]*story), requests: make(map[uint64]asking),
		spoken: make(map[uint64]chan *wire.ServerFrame), said: 1 << 62}
	s.victims = append(s.victims, v)
	return v
}

// Tell lies to the victim by a script, from here on; nil is the truth again.
func (v *Victim) Tell(script Told) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told = script
}

// Ask lies to the server about what the victim asks; nil is the truth again.
func (v *Victim) Ask(script Asked) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = script
}

// Say sends the victim frames that the real server knows nothing of, past the script.
func (v *Victim) Say(frames ...*wire.ServerFrame) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for l := range v.lines {
		l.give(frames)
	}
}

// Speak asks the real server something on the victim's connection, as a client could that is not ours, and gives the
// answer. The victim hears nothing of it.
func (v *Victim) Speak(ctx context.Context, frame *wire.ClientFrame) (*wire.ServerFrame, error) {
	v.mu.Lock()
	v.said++
	number, answer := v.said, make(chan *wire.ServerFrame, 1)
	v.spoken[number] = answer
	var on *line
	for l := range v.lines {
		on = l
	}
	v.mu.Unlock()
	if on == nil {
		return nil, errCut
	}
	frame.Id = number
	b, err := frame.MarshalVT()
	if err == nil {
		err = on.socket.WriteMessage(gws.OpcodeBinary, b)
	}
	if err != nil {
		return nil, err
	}
	select {
	case f := <-answer:
		return f, nil
	case <-on.ended:
		return nil, on.cause
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Heard gives all frames that the victim was sent.
func (v *Victim) Heard() []*wire.ServerFrame {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]*wire.ServerFrame{}, v.heard...)
}

// Cut ends the victim's connections. It comes again.
func (v *Victim) Cut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for l := range v.lines {
		l.end(errCut)
	}
}

var errCut = errors.New("evil: the connection was cut")

func (v *Victim) at(h *house) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.house == h
}

// move leads the victim to another server.
func (v *Victim) move(h *house) {
	v.mu.Lock()
	v.house = h
	v.mu.Unlock()
	v.Cut()
}

// ProvesDevice implements client.Transport: the victim signs the server's nonce.
func (v *Victim) ProvesDevice() bool { return false }

// Connect implements client.Transport.
func (v *Victim) Connect(ctx context.Context, _ ident.DeviceKey) (client.Conn, error) {
	v.mu.Lock()
	at := v.house
	v.mu.Unlock()
	raw, err := at.door.knock(ctx)
	if err != nil {
		return nil, err
	}
	l := &line{victim: v, ready: make(chan struct{}, 1), ended: make(chan struct{})}
	socket, _, err := gws.NewClientFromConn(l, &gws.ClientOption{Addr: "ws://127.0.0.1" + wire.Path, RequestHeader: http.Header{},
		ReadMaxPayloadSize: wire.MaxFrame, WriteMaxPayloadSize: wire.MaxFrame, Logger: silence{}}, raw)
	if err != nil {
		raw.Close()
		return nil, err
	}
	l.socket = socket
	l.reading.Go(socket.ReadLoop)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lines[l] = true
	clear(v.requests)
	return l, nil
}

type silence struct{}

// Error implements gws.Logger.
func (silence) Error(...any) {}

// line is one connection of a victim.
type line struct {
	gws.BuiltinEventHandler
	victim  *Victim
	socket  *gws.Conn
	reading sync.WaitGroup
	ready   chan struct{} // of size 1
	frames  [][]byte      // guarded by victim.mu
	ended   chan struct{}
	once    sync.Once
	cause   error // set before ended is closed
}

// OnMessage is gws.Event's: what the real server says.
func (l *line) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	frame := new(wire.ServerFrame)
	if err := frame.UnmarshalVT(m.Bytes()); err != nil {
		panic("evil: the real server sent what does not parse: " + err.Error())
	}
	v := l.victim
	v.mu.Lock()
	defer v.mu.Unlock()
	if answer := v.spoken[frame.Id]; answer != nil && frame.Id != 0 {
		delete(v.spoken, frame.Id)
		answer <- frame
		return
	}
	frames := v.retell(frame)
	if v.told != nil {
		var lies []*wire.ServerFrame
		for _, f := range frames {
			lies = append(lies, v.told(f)...)
		}
		frames = lies
	}
	l.give(frames)
}

// give queues frames for the client. victim.mu is held.
func (l *line) give(frames []*wire.ServerFrame) {
	for _, f := range frames {
		b, err := f.MarshalVT()
		if err != nil {
			panic("evil: a lie that cannot be encoded: " + err.Error())
		}
		l.frames = append(l.frames, b)
		l.victim.heard = append(l.victim.heard, f)
	}
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// OnClose is gws.Event's.
func (l *line) OnClose(_ *gws.Conn, err error) { l.end(err) }

func (l *line) end(cause error) {
	l.once.Do(func() {
		l.cause = cause
		close(l.ended)
	})
}

// Send implements client.Conn.
func (l *line) Send(_ context.Context, b []byte) error {
	select {
	case <-l.ended:
		return l.cause
	default:
	}
	frame := new(wire.ClientFrame)
	if err := frame.UnmarshalVT(b); err != nil {
		panic("evil: the client sent what does not parse: " + err.Error())
	}
	v := l.victim
	v.mu.Lock()
	v.overhear(frame)
	if v.asked != nil {
		var answers []*wire.ServerFrame
		frame, answers = v.asked(frame)
		l.give(answers)
	}
	v.mu.Unlock()
	if frame == nil {
		return nil
	}
	b, err := frame.MarshalVT()
	if err != nil {
		return err
	}
	return l.socket.WriteMessage(gws.OpcodeBinary, b)
}

// Receive implements client.Conn.
func (l *line) Receive(ctx context.Context) ([]byte, error) {
	for {
		l.victim.mu.Lock()
		if len(l.frames) > 0 {
			frame := l.frames[0]
			l.frames = l.frames[1:]
			l.victim.mu.Unlock()
			return frame, testkit.Lag(ctx, frame)
		}
		l.victim.mu.Unlock()
		select {
		case <-l.ready:
		case <-l.ended:
			return nil, l.cause
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close implements client.Conn. It returns when the reading goroutine has ended.
func (l *line) Close() error {
	l.end(errCut)
	err := l.socket.NetConn().Close()
	l.reading.Wait()
	l.victim.mu.Lock()
	defer l.victim.mu.Unlock()
	delete(l.victim.lines, l)
	return err
}
