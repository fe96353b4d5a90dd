package testkit

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

// Model is a server in memory that speaks internal/wire: what docs/protocol.md promises, as short as it can be said. It has
// no goroutines and no clock: frames go in, frames come out. It trusts its callers about who may call it at once: nobody.
type Model struct {
	// Now is the server's clock.
	Now func() time.Time
	// Tamper, where not nil, sees every frame on its way to a device, and gives what arrives instead.
	Tamper func(to ident.DeviceID, frame *wire.ServerFrame) []*wire.ServerFrame
	// Heard, where not nil, gets every frame of every client.
	Heard io.Writer
	// Lose, where not nil, sees every frame of a device, and reports whether it is lost on its way here.
	Lose func(from ident.DeviceID, frame *wire.ClientFrame) bool
	// OnFrame, where not nil, is called when a session has new frames.
	OnFrame func(*Session)

	accounts  []*modelAccount
	packages  map[ident.DeviceID]*modelPackages
	rooms     []*modelRoom
	sessions  []*Session
	invites   map[string]bool
	mailboxes map[string]*modelMailbox
	knocks    []*modelKnock
	counter   uint64
}

// NewModel gives a server that nobody has registered on.
func NewModel(now func() time.Time) *Model {
	return &Model{Now: now, packages: make(map[ident.DeviceID]*modelPackages), invites: make(map[string]bool), mailboxes: make(map[string]*modelMailbox)}
}

// Session is one connection to a Model.
type Session struct {
	model    *Model
	key      *ident.PublicKey // of TLS; nil in a browser
	nonce    [32]byte
	account  *modelAccount
	device   ident.DeviceID
	loggedIn *modelAccount
	follows  map[ident.RoomID]uint64
	out      [][]byte
	closed   bool
}

// Connect begins a connection, with the TLS key of the device or with nil.
func (m *Model) Connect(key *ident.PublicKey) *Session {
	m.counter++
	s := &Session{model: m, key: key, follows: make(map[ident.RoomID]uint64)}
	s.nonce = sha256.Sum256(binary.BigEndian.AppendUint64([]byte("nonce"), m.counter))
	m.sessions = append(m.sessions, s)
	return s
}

// serverID is what Hello names the server by.
func (m *Model) serverID() [32]byte { return sha256.Sum256([]byte("model")) }

// Take gives the frames that the server has for the client, and forgets them.
func (s *Session) Take() [][]byte {
	out := s.out
	s.out = nil
	return out
}

// Closed reports whether the connection has ended, by either side.
func (s *Session) Closed() bool { return s.closed }

// Close ends the connection. What was not taken is lost.
func (s *Session) Close() {
	s.closed, s.out = true, nil
	for i, other := range s.model.sessions {
		if other == s {
			s.model.sessions = append(s.model.sessions[:i:i], s.model.sessions[i+1:]...)
			return
		}
	}
}

// Handle takes one frame of the client.
func (s *Session) Handle(b []byte) {
	if s.closed {
		return
	}
	if s.model.Heard != nil {
		s.model.Heard.Write(b)
	}
	frame := new(wire.ClientFrame)
	if frame.UnmarshalVT(b) != nil || frame.Id == 0 {
		s.Close()
		return
	}
	if s.model.Lose != nil && s.model.Lose(s.device, frame) {
		return
	}
	answer := s.dispatch(frame)
	if answer == nil {
		answer = fault(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, "unknown request")
	}
	answer.Id = frame.Id
	s.send(answer)
	s.after(frame)
	s.model.deliver()
}

// send queues a frame for the client.
func (s *Session) send(frame *wire.ServerFrame) {
	frames := []*wire.ServerFrame{frame}
	if s.model.Tamper != nil {
		frames = s.model.Tamper(s.device, frame)
	}
	for _, f := range frames {
		b, err := f.MarshalVT()
		if err != nil {
			panic("testkit: internal error: " + err.Error())
		}
		if !s.closed {
			s.out = append(s.out, b)
		}
	}
	if s.model.OnFrame != nil {
		s.model.OnFrame(s)
	}
}

func fault(code wire.ErrorCode, message string) *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Error{Error: &wire.Error{Code: code, Message: message}}}
}

func modelDone() *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Done{Done: &wire.Done{}}}
}

func (s *Session) dispatch(frame *wire.ClientFrame) *wire.ServerFrame {
	switch body := frame.Body.(type) {
	case *wire.ClientFrame_Hello:
		return s.hello()
	case *wire.ClientFrame_Ping:
		return &wire.ServerFrame{Body: &wire.ServerFrame_Pong{Pong: &wire.Pong{Time: s.model.Now().UnixMilli()}}}
	case *wire.ClientFrame_GetLoginParameters:
		return s.loginParameters(body.GetLoginParameters)
	case *wire.ClientFrame_Register:
		return s.register(body.Register)
	case *wire.ClientFrame_Login:
		return s.login(body.Login)
	case *wire.ClientFrame_EnrolDevice:
		return s.enrol(body.EnrolDevice)
	case *wire.ClientFrame_Authenticate:
		return s.authenticate(body.Authenticate)
	case *wire.ClientFrame_JoinLink:
		return s.joinLink(body.JoinLink)
	case *wire.ClientFrame_PostLink:
		return s.postLink(body.PostLink)
	case *wire.ClientFrame_CloseLink:
		return s.closeLink(body.CloseLink.Mailbox)
	case *wire.ClientFrame_LoginLink:
		return s.loginLink(body.LoginLink)
	}
	if s.account == nil {
		return fault(wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, "sign in first")
	}
	switch body := frame.Body.(type) {
	case *wire.ClientFrame_ListAccounts:
		return s.listAccounts(body.ListAccounts)
	case *wire.ClientFrame_GetChains:
		return s.getChains(body.GetChains)
	case *wire.ClientFrame_CreateInvite:
		return s.invite()
	case *wire.ClientFrame_WatchAccounts:
		return modelDone()
	case *wire.ClientFrame_PutKeyPackages:
		return s.putPackages(body.PutKeyPackages)
	case *wire.ClientFrame_ClaimKeyPackages:
		return s.claimPackages(body.ClaimKeyPackages)
	case *wire.ClientFrame_GetVault:
		return &wire.ServerFrame{Body: &wire.ServerFrame_Vault{Vault: &wire.Vault{Vault: s.account.vault}}}
	case *wire.ClientFrame_ChangePassphrase:
		return s.changePassphrase(body.ChangePassphrase)
	case *wire.ClientFrame_OpenLink:
		return s.openLink(body.OpenLink)
	case *wire.ClientFrame_RevokeDevice:
		return s.changeChain(body.RevokeDevice.Chain)
	case *wire.ClientFrame_RenameDevice:
		return s.changeChain(body.RenameDevice.Chain)
	case *wire.ClientFrame_CreateRoom:
		return s.createRoom(body.CreateRoom)
	case *wire.ClientFrame_ListRooms:
		return s.listRooms(body.ListRooms)
	case *wire.ClientFrame_JoinRoom:
		return s.joinRoom(body.JoinRoom)
	case *wire.ClientFrame_LeaveRoom:
		return s.leaveRoom(body.LeaveRoom)
	case *wire.ClientFrame_ListMembers:
		return s.listMembers(body.ListMembers)
	case *wire.ClientFrame_Submit:
		return s.submit(body.Submit)
	case *wire.ClientFrame_Fetch:
		return s.fetch(body.Fetch)
	case *wire.ClientFrame_Follow:
		return s.follow(body.Follow)
	case *wire.ClientFrame_TakeWelcome:
		return s.takeWelcome(body.TakeWelcome)
	case *wire.ClientFrame_GetArchive:
		return s.getArchive(body.GetArchive)
	case *wire.ClientFrame_ChangeArchive:
		return s.changeArchive(body.ChangeArchive)
	case *wire.ClientFrame_FetchArchive:
		return s.fetchArchive(body.FetchArchive)
	case *wire.ClientFrame_KnockRoom:
		return s.knockRoom(body.KnockRoom)
	case *wire.ClientFrame_WithdrawKnock:
		return s.withdrawKnock(body.WithdrawKnock.Room)
	case *wire.ClientFrame_AnswerKnock:
		return s.answerKnock(body.AnswerKnock)
	}
	return nil
}

// after does what follows the answer to a request.
func (s *Session) after(frame *wire.ClientFrame) {
	switch body := frame.Body.(type) {
	case *wire.ClientFrame_OpenLink:
		s.replayLink(body.OpenLink.Mailbox, 1)
	case *wire.ClientFrame_JoinLink:
		s.replayLink(body.JoinLink.Mailbox, 0)
	case *wire.ClientFrame_Hello, *wire.ClientFrame_Authenticate, *wire.ClientFrame_EnrolDevice:
		s.welcomes()
	case *wire.ClientFrame_Follow:
		for _, k := range s.model.knocks {
			s.hearKnock(k)
		}
	case *wire.ClientFrame_KnockRoom:
		if k := s.model.knock(body.KnockRoom.Room, s.account.id()); k != nil {
			s.model.announce(k)
		}
	}
}

func (s *Session) hello() *wire.ServerFrame {
	id := s.model.serverID()
	reply := &wire.HelloReply{Version: wire.Version, ServerId: id[:], Nonce: s.nonce[:],
		Registration: wire.RegistrationMode_REGISTRATION_MODE_OPEN, Time: s.model.Now().UnixMilli()}
	if s.key != nil {
		for _, a := range s.model.accounts {
			device := ident.NewDeviceID(a.chain.Account(), *s.key)
			if _, ok := a.chain.Device(device); ok {
				reply.Authenticated = s.become(a, device)
			} else if _, ever := a.chain.EverEnrolled(device); ever {
				s.tellRevoked(a)
			}
		}
	}
	return &wire.ServerFrame{Body: &wire.ServerFrame_Hello{Hello: reply}}
}

// become makes the connection a device's.
func (s *Session) become(a *modelAccount, device ident.DeviceID) *wire.Authenticated {
	s.account, s.device = a, device
	return &wire.Authenticated{Account: a.id(), Device: device.Bytes(), Handle: a.chain.Handle().String(), Owner: a == s.model.accounts[0]}
}

// Waiting reports whether there are frames for the client.
func (s *Session) Waiting() bool { return len(s.out) > 0 }

// TakeOne gives the first frame that the server has for the client.
func (s *Session) TakeOne() []byte {
	frame := s.out[0]
	s.out = s.out[1:]
	return frame
}
