// Package bridge carries calls, answers and events between a page and the client core as packets: one buffer each,
// however many rows it holds. Begin with New and Serve; the packets are proto/snug/bridge/v1, from which the Go types here and
// web/src/core/protocol.ts are generated.
//
// It knows nothing of browsers (cmd/snug-wasm binds it to a worker's message port) and holds no state. Page and core are
// of one build, so the packets change without notice.
package bridge

import (
	"context"
	"io"
	"sync"

	"snug/client"
	"snug/internal/ident"
)

// Core is the part of *client.Client that a page uses; that type's comments are the contract. It is an interface so that
// the tests can have a core that refuses, waits and forgets at will.
type Core interface {
	Me() (client.Me, bool)
	Register(ctx context.Context, options client.RegisterOptions) (client.Me, error)
	Login(ctx context.Context, options client.LoginOptions) (client.Me, error)
	ChangePassphrase(ctx context.Context, options client.ChangePassphraseOptions) error
	Logout(ctx context.Context) error
	Accounts(ctx context.Context) ([]client.Account, error)
	Invite(ctx context.Context) (client.Invite, error)
	Forget(ctx context.Context) error
	Parting(ctx context.Context) (client.Parting, error)
	Devices(ctx context.Context) ([]client.Device, error)
	Alerts(ctx context.Context) ([]client.Alert, error)
	DismissAlerts(ctx context.Context, ids ...uint64) error
	RenameDevice(ctx context.Context, device ident.DeviceID, name string) error
	RevokeDevice(ctx context.Context, device ident.DeviceID) error
	StartLink(ctx context.Context) (client.Link, error)
	AwaitLink(ctx context.Context) (client.LinkMatch, error)
	ConfirmLink(ctx context.Context) (client.Device, error)
	JoinLink(ctx context.Context, options client.JoinLinkOptions) (client.LinkMatch, error)
	AcceptLink(ctx context.Context) (client.Me, error)
	CancelLink(ctx context.Context) error
	Archive(ctx context.Context) (client.Archive, error)
	SetArchive(ctx context.Context, on bool) error
	SetRoomArchive(ctx context.Context, room ident.RoomID, on bool) error
	Contact(ctx context.Context, account ident.AccountID) (client.Contact, error)
	Verify(ctx context.Context, account ident.AccountID, theirs ident.SafetyNumber) (client.Contact, error)
	Unverify(ctx context.Context, account ident.AccountID) (client.Contact, error)
	AcceptContact(ctx context.Context, account ident.AccountID) (client.Contact, error)
	Rooms(ctx context.Context) ([]client.Room, error)
	Room(ctx context.Context, room ident.RoomID) (client.Room, error)
	Direct(ctx context.Context, handle string) (ident.RoomID, error)
	PostDirect(ctx context.Context, handle, text string) (ident.RoomID, error)
	CreateRoom(ctx context.Context, options client.CreateRoomOptions) (client.Room, error)
	AddMembers(ctx context.Context, room ident.RoomID, handles ...string) error
	RemoveMembers(ctx context.Context, room ident.RoomID, handles ...string) error
	SetRole(ctx context.Context, room ident.RoomID, handle, role string) error
	ChangeRoom(ctx context.Context, room ident.RoomID, settings client.RoomSettings) error
	JoinRoom(ctx context.Context, room ident.RoomID) error
	LeaveRoom(ctx context.Context, room ident.RoomID) error
	AcceptRoom(ctx context.Context, room ident.RoomID) error
	DeclineRoom(ctx context.Context, room ident.RoomID) error
	CreateRoomInvite(ctx context.Context, room ident.RoomID, options client.RoomInviteOptions) (client.RoomInvite, error)
	RoomInvites(ctx context.Context, room ident.RoomID) ([]client.RoomInvite, error)
	RevokeRoomInvite(ctx context.Context, room ident.RoomID, invite ident.RoomInviteID) error
	JoinByInvite(ctx context.Context, code string) (client.Room, error)
	Block(ctx context.Context, handle string) error
	Unblock(ctx context.Context, handle string) error
	Blocked(ctx context.Context) ([]client.Account, error)
	Members(ctx context.Context, room ident.RoomID) ([]client.Member, error)
	MarkRead(ctx context.Context, room ident.RoomID, seq uint64) error
	Post(ctx context.Context, room ident.RoomID, text string) (ident.MessageID, error)
	Retry(ctx context.Context, room ident.RoomID, id ident.MessageID) error
	Discard(ctx context.Context, room ident.RoomID, id ident.MessageID) error
	History(ctx context.Context, room ident.RoomID, options client.HistoryOptions) ([]client.Message, error)
	Reconnect(ctx context.Context) error
	Events() *client.Subscription
}

// Port is the page's end: buffers in both directions, in order. Post never blocks and may be called from any goroutine;
// Receive is called by Serve alone and gives an error when the page is gone.
type Port interface {
	Post(packet []byte)
	Receive(ctx context.Context) ([]byte, error)
}

// maxCalls is how many calls may be under way at once. A page has a handful; a page that has gone mad does not take the
// core with it.
const maxCalls = 64

// Server answers the calls of one page.
type Server struct {
	core   Core
	port   Port
	rand   io.Reader
	events *client.Subscription

	// connection is the last ConnectionChanged, for pages that ask for the state later.
	mu         sync.Mutex
	connection *Connection // guarded by mu; never nil, replaced whole
}

// New gives the server of one page. It knows the core's events from here on, so that nothing is missed where it is made
// before the core runs.
func New(core Core, port Port, rand io.Reader) *Server {
	return &Server{core: core, port: port, rand: rand, events: core.Events(), connection: &Connection{}}
}

// Serve answers the page's calls and tells it of the core's events until ctx ends or the page is gone, and returns when
// all that it started has ended. It is called once. Posts are carried out in the order in which they came, other calls
// side by side.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer s.events.Close()
	defer cancel()
	running.Go(func() { s.tell(s.events.C) })
	posts := make(chan *Call, maxCalls)
	running.Go(func() { s.answerInTurn(ctx, posts) })

	free := make(chan struct{}, maxCalls)
	for {
		buffer, err := s.port.Receive(ctx)
		if err != nil {
			return err
		}
		call := new(Call)
		if err := call.UnmarshalVT(buffer); err != nil || call.Id == 0 {
			continue // no id to answer to; the page's own codec makes no such buffer
		}
		if _, post := call.Body.(*Call_Post); post {
			select {
			case posts <- call:
			case <-ctx.Done():
			}
			continue
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		running.Go(func() {
			defer func() { <-free }()
			s.answer(ctx, call)
		})
	}
}

func (s *Server) answerInTurn(ctx context.Context, calls <-chan *Call) {
	for {
		select {
		case call := <-calls:
			s.answer(ctx, call)
		case <-ctx.Done():
			return
		}
	}
}

// answer carries out one call and posts exactly one packet with its id.
func (s *Server) answer(ctx context.Context, call *Call) {
	body, err := s.dispatch(ctx, call)
	if err != nil {
		body = &Packet_Refusal{Refusal: refusal(err)}
	}
	s.post(&Packet{Id: call.Id, Body: body})
}

func (s *Server) post(packet *Packet) {
	buffer, err := packet.MarshalVT()
	if err != nil {
		panic("internal error: packet cannot be encoded: " + err.Error())
	}
	s.port.Post(buffer)
}
