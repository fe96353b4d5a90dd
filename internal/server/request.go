package server

import (
	"context"
	"errors"
	"slices"
	"time"

	"snug/internal/ident"
	"snug/internal/wire"
)

var (
	errBadRoomID   = badRequest("a room id has 16 bytes")
	errBadDevice   = badRequest("a device id has 16 bytes")
	errBadAccount  = badRequest("an account id has 16 bytes")
	errUnknownBody = &Refusal{Code: wire.ErrorCode_ERROR_CODE_BAD_REQUEST, Message: "this server does not know that request",
		Hint: "the client may be newer than the server"}
	errNoID     = badRequest("a request has an id that is not 0")
	errDraining = &Refusal{Code: wire.ErrorCode_ERROR_CODE_UNAVAILABLE, Message: "the server is stopping",
		Hint: "connect again in a moment", RetryAfter: closeWithin}
)

// request carries out one frame. Submits and follows answer by themselves, later
// and at once; everything else answers with what it gives.
func (n *session) request(ctx context.Context, f *wire.ClientFrame) {
	n.setBusy(true)
	defer n.setBusy(false)
	if !n.greeted {
		n.greet(ctx, f)
		return
	}
	reply, err := n.dispatch(ctx, f)
	if err != nil {
		reply = n.refusal(err).frame(f.Id)
	}
	if reply != nil {
		reply.Id = f.Id
		n.answer(reply)
	}
	if after := n.afterAnswer; after != nil {
		n.afterAnswer = nil
		after()
	}
	if n.greetings {
		n.handOut(ctx)
	}
}

func (n *session) setBusy(busy bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.busy = busy
	if !busy {
		n.space.Broadcast()
	}
}

// greet answers Hello, or refuses what is not and closes.
func (n *session) greet(ctx context.Context, f *wire.ClientFrame) {
	hello, ok := f.Body.(*wire.ClientFrame_Hello)
	var refusal *Refusal
	switch {
	case !ok || f.Id == 0:
		refusal = badRequest("the first request is Hello")
	case len(hello.Hello.Versions) > maxVersions || len(hello.Hello.Agent) > maxAgent:
		refusal = badRequest("that Hello is too long")
	case !slices.Contains(hello.Hello.Versions, wire.Version):
		refusal = &Refusal{Code: wire.ErrorCode_ERROR_CODE_VERSION, Message: "this server speaks version 1 of the protocol only",
			Hint: "use a client of the same release"}
	}
	if refusal != nil {
		n.answer(refusal.frame(f.Id))
		n.last(closePolicy, "no common version")
		return
	}
	d, known, err := n.byKey(ctx)
	if errors.Is(err, ErrManyConnections) {
		n.answer(ErrManyConnections.frame(f.Id))
		n.last(closeTryLater, ErrManyConnections.Message)
		return
	}
	n.greeted = true
	if !known {
		n.gate.SetLimit(maxStranger)
	}
	_ = n.socket.NetConn().SetDeadline(time.Time{})
	reply := &wire.HelloReply{
		Version: wire.Version, ServerId: n.server.ID[:], Nonce: n.nonce[:], Registration: n.server.Registration, Time: n.server.now(),
	}
	if known {
		reply.Authenticated = d.wire()
	}
	n.answer(&wire.ServerFrame{Id: f.Id, Body: &wire.ServerFrame_Hello{Hello: reply}})
	if n.greetings = known; known {
		n.handOut(ctx)
	}
}

// byKey makes the connection that of the device whose key it has in TLS.
func (n *session) byKey(ctx context.Context) (d Device, known bool, err error) {
	if n.key.IsZero() {
		return d, false, nil
	}
	if d, err = n.server.Store.DeviceByKey(ctx, n.key); err != nil {
		return d, false, nil
	}
	if d.Revoked {
		n.tellRevoked(ctx, d)
		return d, false, nil
	}
	err = n.become(ctx, d)
	return d, err == nil, err
}

// dispatch chooses what a request means. A reply without an id is the answer; nil
// means that the answer is somebody else's.
func (n *session) dispatch(ctx context.Context, f *wire.ClientFrame) (*wire.ServerFrame, error) {
	if f.Id == 0 {
		return nil, errNoID
	}
	if n.server.draining.Load() {
		return nil, errDraining
	}
	switch m := f.Body.(type) {
	case *wire.ClientFrame_Submit:
		return nil, n.submit(f.Id, m.Submit)
	case *wire.ClientFrame_Fetch:
		return n.fetch(ctx, m.Fetch)
	case *wire.ClientFrame_Follow:
		return nil, n.follow(ctx, f.Id, m.Follow)
	case *wire.ClientFrame_TakeWelcome:
		return n.takeWelcome(ctx, m.TakeWelcome)
	case *wire.ClientFrame_Ping:
		return &wire.ServerFrame{Body: &wire.ServerFrame_Pong{Pong: &wire.Pong{Time: n.server.now()}}}, nil
	case *wire.ClientFrame_Hello:
		return nil, badRequest("Hello was said already")
	case *wire.ClientFrame_CreateRoom:
		return n.createRoom(ctx, m.CreateRoom)
	case *wire.ClientFrame_ListRooms:
		return n.listRooms(ctx, m.ListRooms)
	case *wire.ClientFrame_JoinRoom:
		return n.joinRoom(ctx, m.JoinRoom)
	case *wire.ClientFrame_LeaveRoom:
		return n.leaveRoom(ctx, m.LeaveRoom)
	case *wire.ClientFrame_ListMembers:
		return n.listMembers(ctx, m.ListMembers)
	}
	return n.dispatchAccount(ctx, f)
}

// dispatchAccount is the second half of dispatch: accounts and devices.
func (n *session) dispatchAccount(ctx context.Context, f *wire.ClientFrame) (*wire.ServerFrame, error) {
	switch m := f.Body.(type) {
	case *wire.ClientFrame_GetLoginParameters:
		return n.loginParameters(ctx, m.GetLoginParameters)
	case *wire.ClientFrame_Register:
		return n.register(ctx, m.Register)
	case *wire.ClientFrame_Login:
		return n.login(ctx, m.Login)
	case *wire.ClientFrame_ListAccounts:
		return n.listAccounts(ctx, m.ListAccounts)
	case *wire.ClientFrame_GetChains:
		return n.getChains(ctx, m.GetChains)
	case *wire.ClientFrame_CreateInvite:
		return n.createInvite(ctx, m.CreateInvite)
	case *wire.ClientFrame_WatchAccounts:
		return n.watchAccounts()
	case *wire.ClientFrame_GetVault:
		return n.getVault(ctx)
	case *wire.ClientFrame_ChangePassphrase:
		return n.changePassphrase(ctx, m.ChangePassphrase)
	case *wire.ClientFrame_EnrolDevice:
		return n.enrol(ctx, m.EnrolDevice)
	case *wire.ClientFrame_Authenticate:
		return n.authenticate(ctx, m.Authenticate)
	case *wire.ClientFrame_PutKeyPackages:
		return n.putKeyPackages(ctx, m.PutKeyPackages)
	case *wire.ClientFrame_ClaimKeyPackages:
		return n.claimKeyPackages(ctx, m.ClaimKeyPackages)
	case *wire.ClientFrame_RevokeDevice:
		return n.revoke(ctx, m.RevokeDevice)
	case *wire.ClientFrame_RenameDevice:
		return n.rename(ctx, m.RenameDevice)
	}
	return n.dispatchLink(ctx, f)
}

// dispatchLink is the third part of dispatch: devices that are linked.
func (n *session) dispatchLink(ctx context.Context, f *wire.ClientFrame) (*wire.ServerFrame, error) {
	switch m := f.Body.(type) {
	case *wire.ClientFrame_OpenLink:
		return n.openLink(m.OpenLink)
	case *wire.ClientFrame_JoinLink:
		return n.joinLink(m.JoinLink)
	case *wire.ClientFrame_PostLink:
		return n.postLink(m.PostLink)
	case *wire.ClientFrame_CloseLink:
		return n.closeLink(m.CloseLink)
	case *wire.ClientFrame_LoginLink:
		return n.loginLink(ctx, m.LoginLink)
	}
	return n.dispatchArchive(ctx, f)
}

// dispatchArchive is the fourth part of dispatch: archives.
func (n *session) dispatchArchive(ctx context.Context, f *wire.ClientFrame) (*wire.ServerFrame, error) {
	switch m := f.Body.(type) {
	case *wire.ClientFrame_GetArchive:
		return n.getArchive(ctx, m.GetArchive)
	case *wire.ClientFrame_ChangeArchive:
		return n.changeArchive(ctx, m.ChangeArchive)
	case *wire.ClientFrame_FetchArchive:
		return n.fetchArchive(ctx, m.FetchArchive)
	}
	return n.dispatchKnock(ctx, f)
}

// dispatchKnock is the last of dispatch: who asks to be let in.
func (n *session) dispatchKnock(ctx context.Context, f *wire.ClientFrame) (*wire.ServerFrame, error) {
	switch m := f.Body.(type) {
	case *wire.ClientFrame_KnockRoom:
		return n.knockRoom(m.KnockRoom)
	case *wire.ClientFrame_WithdrawKnock:
		return n.withdrawKnock(m.WithdrawKnock)
	case *wire.ClientFrame_AnswerKnock:
		return n.answerKnock(ctx, m.AnswerKnock)
	}
	return nil, errUnknownBody
}

// refusal gives what to answer for an error. What is no refusal is our fault, and
// is logged here; its outcome is unknown to the client.
func (s *Server) refusal(err error) *Refusal {
	var r *Refusal
	if errors.As(err, &r) {
		return r
	}
	if s.life.Err() != nil {
		return errDraining
	}
	s.Log.Error("request failed", "error", err)
	return &Refusal{Code: wire.ErrorCode_ERROR_CODE_INTERNAL, Message: "the server could not carry this out",
		Hint: "send the same again to find out whether it was done"}
}

// refusal is the server's. Once an hour it tells the operator of an account that may store nothing more.
func (n *session) refusal(err error) *Refusal {
	r := n.server.refusal(err)
	if d := n.device.Load(); r == ErrQuota && d != nil && n.server.limits.quotas.take(d.Account) == nil {
		n.server.Log.Info("an account has stored as much as it may", "account", d.Account)
	}
	return r
}

// done answers a request that has nothing more to say.
func done(id uint64) *wire.ServerFrame {
	return &wire.ServerFrame{Id: id, Body: &wire.ServerFrame_Done{Done: &wire.Done{}}}
}

func accountIDs(list [][]byte, limit int) ([]ident.AccountID, error) {
	if len(list) > limit {
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "too many accounts in one request")
	}
	ids := make([]ident.AccountID, 0, len(list))
	for _, b := range list {
		id, err := ident.AccountIDFromBytes(b)
		if err != nil {
			return nil, errBadAccount
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func deviceIDs(list [][]byte, limit int) ([]ident.DeviceID, error) {
	if len(list) > limit {
		return nil, Refuse(wire.ErrorCode_ERROR_CODE_TOO_LARGE, "too many devices in one request")
	}
	ids := make([]ident.DeviceID, 0, len(list))
	for _, b := range list {
		id, err := ident.DeviceIDFromBytes(b)
		if err != nil {
			return nil, errBadDevice
		}
		ids = append(ids, id)
	}
	return ids, nil
}
