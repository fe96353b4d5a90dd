package bridge_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"snug/client"
	"snug/internal/bridge"
	"snug/internal/ident"
)

// core is a bridge.Core that remembers what it was asked and answers as it is told. It is a client that never ran, for
// its subscriptions, with the verbs replaced.
type core struct {
	*client.Client
	mu    sync.Mutex
	said  []string
	err   error
	block chan struct{}
}

func (c *core) Post(ctx context.Context, room ident.RoomID, text string) (ident.MessageID, error) {
	time.Sleep(time.Duration(10-len(text)) * time.Millisecond) // the longer, the sooner: order must not come from luck
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, text)
	return ident.MessageID{1}, c.err
}

func (c *core) Accounts(ctx context.Context) ([]client.Account, error) {
	if c.block != nil {
		select {
		case <-c.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	return []client.Account{{Handle: "alice", Online: true}, {Handle: "bob", SeenAt: time.UnixMilli(5)}}, nil
}

// Login and Register wait for a server that does not come.
func (c *core) Login(ctx context.Context, _ client.LoginOptions) (client.Me, error) {
	<-ctx.Done()
	return client.Me{}, &client.Error{Code: client.Unreachable, Message: "no answer in time"}
}

func (c *core) Register(ctx context.Context, _ client.RegisterOptions) (client.Me, error) {
	return c.Login(ctx, client.LoginOptions{})
}

func (c *core) CreateRoom(context.Context, client.CreateRoomOptions) (client.Room, error) {
	return client.Room{Kind: client.Sealed, Problem: "the keys are lost", Try: "it waits for @bob"}, nil
}

func (c *core) Archive(ctx context.Context) (client.Archive, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return client.Archive{On: true, Off: []ident.RoomID{{1}}, Problem: fmt.Sprint(c.said), Try: "t"}, c.err
}

func (c *core) SetArchive(ctx context.Context, on bool) error {
	return c.SetRoomArchive(ctx, ident.RoomID{}, on)
}

func (c *core) SetRoomArchive(ctx context.Context, room ident.RoomID, on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprint(room[0], " ", on))
	return c.err
}

func (c *core) Parting(context.Context) (client.Parting, error) {
	return client.Parting{Last: true, Unsent: 3}, nil
}

func (c *core) Alerts(ctx context.Context) ([]client.Alert, error) {
	return []client.Alert{
		{ID: 3, Kind: client.DeviceAdded, Device: ident.DeviceID{1}, DeviceName: "phone", At: time.UnixMilli(5), Revoked: true},
		{ID: 4, Kind: client.DeviceRevoked, Device: ident.DeviceID{2}, DeviceName: "desk", At: time.UnixMilli(6)},
		{ID: 9, Kind: client.PassphraseReplaced, At: time.UnixMilli(7)},
	}, c.err
}

func (c *core) DismissAlerts(ctx context.Context, ids ...uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprint(ids))
	return c.err
}

// port is the page's end.
type port struct {
	calls   chan []byte
	packets chan []byte
}

func newPort() *port {
	return &port{calls: make(chan []byte, 100), packets: make(chan []byte, 1000)}
}

func (p *port) Post(packet []byte) { p.packets <- packet }

func (p *port) Receive(ctx context.Context) ([]byte, error) {
	select {
	case call, ok := <-p.calls:
		if !ok {
			return nil, errors.New("the page is gone")
		}
		return call, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *port) call(t *testing.T, call *bridge.Call) {
	t.Helper()
	b, err := call.MarshalVT()
	if err != nil {
		t.Fatal(err)
	}
	p.calls <- b
}

func (p *port) packet(t *testing.T) *bridge.Packet {
	t.Helper()
	packet := new(bridge.Packet)
	if err := packet.UnmarshalVT(<-p.packets); err != nil {
		t.Fatal(err)
	}
	return packet
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// serve runs a bridge over a core until the test ends, which it must do cleanly.
func serve(t *testing.T, c *core) *port {
	t.Helper()
	c.Client = new(client.Client) // its subscriptions end at once
	p := newPort()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	server := bridge.New(c, p, zeros{})
	go func() { ended <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Serve ended with %v, want the context's error", err)
		}
	})
	return p
}

func TestEveryCallIsAnsweredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &core{})
		for id := uint64(1); id <= 3; id++ {
			p.call(t, &bridge.Call{Id: id, Body: &bridge.Call_ListAccounts{ListAccounts: &bridge.ListAccounts{}}})
		}
		answered := make(map[uint64]bool)
		for range 3 {
			packet := p.packet(t)
			if got := packet.GetAccounts().GetAccounts(); len(got) != 2 || got[1].SeenAt != 5 || got[0].SeenAt != 0 {
				t.Errorf("call %d is answered with %v", packet.Id, packet.Body)
			}
			answered[packet.Id] = true
		}
		if len(answered) != 3 {
			t.Errorf("answered %v, want 1, 2 and 3", answered)
		}
	})
}

func TestPostsKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &core{}
		p := serve(t, c)
		want := []string{"a", "bb", "ccc", "dddd"}
		for i, text := range want {
			p.call(t, &bridge.Call{Id: uint64(i + 1), Body: &bridge.Call_Post{Post: &bridge.Post{Room: ident.RoomID{1}.String(), Text: text}}})
		}
		for i := range want {
			if packet := p.packet(t); packet.Id != uint64(i+1) || packet.GetPosted().GetId() != (ident.MessageID{1}).String() {
				t.Errorf("packet %d is %v", i, packet)
			}
		}
		if fmt.Sprint(c.said) != fmt.Sprint(want) {
			t.Errorf("said %v, want %v", c.said, want)
		}
	})
}

// TestASlowCallHoldsUpNobody: one call waits, others are answered, and the end of the page ends it.
func TestASlowCallHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := serve(t, &core{block: make(chan struct{})})
		p.call(t, &bridge.Call{Id: 1, Body: &bridge.Call_ListAccounts{ListAccounts: &bridge.ListAccounts{}}})
		p.call(t, &bridge.Call{Id: 2, Body: &bridge.Call_GetState{GetState: &bridge.GetState{}}})
		if packet := p.packet(t); packet.Id != 2 || packet.GetState().GetMe() != nil {
			t.Errorf("first answer is %v, want that of call 2, signed out", packet)
		}
	})
}

// TestNobodyComesInForEver: who signs in or up while the server is away is told so in the end.
func TestNobodyComesInForEver(t *testing.T) {
	for name, call := range map[string]*bridge.Call{
		"in": {Id: 1, Body: &bridge.Call_Login{Login: &bridge.Login{Handle: "alice"}}},
		"up": {Id: 1, Body: &bridge.Call_Register{Register: &bridge.Register{Handle: "alice"}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := serve(t, &core{})
				p.call(t, call)
				if got := p.packet(t).GetRefusal().GetCode(); got != bridge.RefusalCode_REFUSAL_CODE_UNREACHABLE {
					t.Errorf("the answer is %v, want unreachable", got)
				}
			})
		})
	}
}

// TestRoomsSayWhatHelps: the page shows a room's problem as it gets it, so that what becomes of it is in there.
func TestRoomsSayWhatHelps(t *testing.T) {
	p := serve(t, &core{})
	p.call(t, &bridge.Call{Id: 1, Body: &bridge.Call_CreateRoom{CreateRoom: &bridge.CreateRoom{Name: "garden"}}})
	if got := p.packet(t).GetRoom().GetProblem(); got != "the keys are lost; it waits for @bob" {
		t.Errorf("the room's problem is %q, want the cause and what it waits for", got)
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want bridge.Refusal
	}{
		{"typed", &client.Error{Code: client.Refused, Message: "m", Hint: "h"}, bridge.Refusal{Code: bridge.RefusalCode_REFUSAL_CODE_REFUSED, Message: "m", Hint: "h"}},
		{"wrapped", fmt.Errorf("w: %w", &client.Error{Code: client.Unreachable, Message: "m"}), bridge.Refusal{Code: bridge.RefusalCode_REFUSAL_CODE_UNREACHABLE, Message: "m"}},
		{"other", errors.New("disk on fire"), bridge.Refusal{Code: bridge.RefusalCode_REFUSAL_CODE_FAILED, Message: "disk on fire"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := serve(t, &core{err: test.err})
			p.call(t, &bridge.Call{Id: 7, Body: &bridge.Call_ListAccounts{ListAccounts: &bridge.ListAccounts{}}})
			if got := p.packet(t); got.Id != 7 || !got.GetRefusal().EqualVT(&test.want) {
				t.Errorf("got %v, want %v", got, &test.want)
			}
		})
	}
}

// TestArchive: the account's switch and a room's are two, and each is answered with what is so then.
func TestArchive(t *testing.T) {
	p := serve(t, &core{})
	set := func(room string, on bool) *bridge.Archive {
		t.Helper()
		p.call(t, &bridge.Call{Id: 1, Body: &bridge.Call_SetArchive{SetArchive: &bridge.SetArchive{Room: room, On: on}}})
		return p.packet(t).GetArchive()
	}
	if got := set("", true); !got.GetOn() || len(got.Off) != 1 || got.Off[0] != (ident.RoomID{1}).String() || got.Try != "t" || got.Problem != "[0 true]" {
		t.Errorf("the account's: %v", got)
	}
	if got := set((ident.RoomID{1}).String(), false); got.GetProblem() != "[0 true 1 false]" {
		t.Errorf("a room's: %v", got)
	}
}

// TestParting: a page learns how many messages go with the device.
func TestParting(t *testing.T) {
	p := serve(t, &core{})
	p.call(t, &bridge.Call{Id: 1, Body: &bridge.Call_GetParting{GetParting: &bridge.GetParting{}}})
	if got := p.packet(t).GetParting().GetUnsent(); got != 3 {
		t.Errorf("got %d unsent, want 3", got)
	}
}

// TestAlerts: a page gets alerts as they are, and dismisses those that it names; a number list comes packed or not, as Protocol
// Buffers allow.
func TestAlerts(t *testing.T) {
	c := &core{}
	p := serve(t, c)
	p.call(t, &bridge.Call{Id: 1, Body: &bridge.Call_ListAlerts{ListAlerts: &bridge.ListAlerts{}}})
	want := &bridge.Alerts{Alerts: []*bridge.Alert{
		{Id: 3, Kind: bridge.AlertKind_ALERT_KIND_DEVICE_ADDED, Device: (ident.DeviceID{1}).String(), DeviceName: "phone", At: 5, Revoked: true},
		{Id: 4, Kind: bridge.AlertKind_ALERT_KIND_DEVICE_REVOKED, Device: (ident.DeviceID{2}).String(), DeviceName: "desk", At: 6},
		{Id: 9, Kind: bridge.AlertKind_ALERT_KIND_PASSPHRASE_REPLACED, At: 7},
	}}
	if got := p.packet(t).GetAlerts(); !got.EqualVT(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	p.call(t, &bridge.Call{Id: 2, Body: &bridge.Call_DismissAlerts{DismissAlerts: &bridge.DismissAlerts{Ids: []uint64{3, 300}}}})
	p.packet(t)
	p.calls <- []byte{8, 3, 17<<3&0x7f | 2 | 0x80, 1, 5, 8, 3, 8, 0xac, 2} // id 3, dismiss_alerts with ids 3 and 300 apart, as the page writes them
	if got := p.packet(t); got.Id != 3 || got.GetDone() == nil || fmt.Sprint(c.said) != "[[3 300] [3 300]]" {
		t.Errorf("got %v, and %v was dismissed", got, c.said)
	}
}

// TestHostileCalls: nothing that a page sends stops the bridge, and what has an id is answered.
func TestHostileCalls(t *testing.T) {
	p := serve(t, &core{})
	for _, junk := range [][]byte{nil, {0}, {0xff, 0xff, 0xff}, {0x08}, {0x12, 0x05}, []byte("text")} {
		p.calls <- junk
	}
	for id, call := range []*bridge.Call{
		{},
		{Body: nil},
		{Body: &bridge.Call_Retry{Retry: &bridge.Retry{Room: "no room", Id: "no id"}}},
		{Body: &bridge.Call_ListMessages{}},
		{Body: &bridge.Call_JoinRoom{JoinRoom: &bridge.JoinRoom{Room: "\x00"}}},
		{Body: &bridge.Call_SetArchive{SetArchive: &bridge.SetArchive{Room: "no room"}}},
		{Body: &bridge.Call_Post{Post: &bridge.Post{Room: "../.."}}},
	} {
		call.Id = uint64(id + 1)
		p.call(t, call)
		if got := p.packet(t); got.Id != call.Id || got.GetRefusal() == nil {
			t.Errorf("call %d is answered with %v, want a refusal", id, got)
		}
	}
}

func TestPassphrases(t *testing.T) {
	p := serve(t, &core{})
	p.call(t, &bridge.Call{Id: 1, Body: &bridge.Call_SuggestPassphrase{SuggestPassphrase: &bridge.SuggestPassphrase{}}})
	words := p.packet(t).GetPassphrase().GetWords()
	for passphrase, weak := range map[string]bool{"password": true, "": true, "orbit velvet tundra mosaic harpoon": false} {
		p.call(t, &bridge.Call{Id: 2, Body: &bridge.Call_JudgePassphrase{JudgePassphrase: &bridge.JudgePassphrase{Passphrase: passphrase}}})
		if got := p.packet(t).GetJudgement().GetProblem(); (got != "") != weak {
			t.Errorf("%q is judged %q", passphrase, got)
		}
	}
	if words == "" {
		t.Error("no passphrase was suggested")
	}
}
