package bridge

import (
	"context"
	"errors"

	"snug/client"
	"snug/internal/ident"
)

// maxMessages is the most messages that one packet holds, whatever the page asks for: some screens of a timeline.
const maxMessages = 500

// dispatch hands a call to the verb that it names.
func (s *Server) dispatch(ctx context.Context, call *Call) (isPacket_Body, error) {
	switch body := call.Body.(type) {
	case *Call_GetState:
		return s.state(), nil
	case *Call_Register:
		return s.register(ctx, body.Register)
	case *Call_Login:
		return s.login(ctx, body.Login)
	case *Call_Logout:
		return bounded(ctx, s.core.Logout)
	case *Call_GetParting:
		return s.parting(ctx)
	case *Call_ChangePassphrase:
		return s.changePassphrase(ctx, body.ChangePassphrase)
	case *Call_SuggestPassphrase:
		return s.suggestPassphrase()
	case *Call_JudgePassphrase:
		return judgePassphrase(body.JudgePassphrase.GetPassphrase())
	case *Call_Reconnect:
		return done(s.core.Reconnect(ctx))
	case *Call_ListAccounts:
		return accounts(ctx, s.core.Accounts)
	case *Call_CreateInvite:
		return s.createInvite(ctx)
	case *Call_ListMessages:
		return s.listMessages(ctx, body.ListMessages)
	case *Call_Post:
		return s.say(ctx, body.Post)
	case *Call_Retry:
		return s.withMessage(body.Retry.GetRoom(), body.Retry.GetId(), func(room ident.RoomID, id ident.MessageID) error {
			return s.core.Retry(ctx, room, id)
		})
	case *Call_Discard:
		return s.withMessage(body.Discard.GetRoom(), body.Discard.GetId(), func(room ident.RoomID, id ident.MessageID) error {
			return s.core.Discard(ctx, room, id)
		})
	default:
		return s.dispatchDevice(ctx, call)
	}
}

// dispatchDevice is what devices can do, and the rest of dispatch.
func (s *Server) dispatchDevice(ctx context.Context, call *Call) (isPacket_Body, error) {
	switch body := call.Body.(type) {
	case *Call_ListDevices:
		return s.listDevices(ctx)
	case *Call_RenameDevice:
		return withDevice(ctx, body.RenameDevice.GetDevice(), func(ctx context.Context, device ident.DeviceID) error {
			return s.core.RenameDevice(ctx, device, body.RenameDevice.GetName())
		})
	case *Call_RevokeDevice:
		return withDevice(ctx, body.RevokeDevice.GetDevice(), s.core.RevokeDevice)
	case *Call_ListAlerts:
		return s.listAlerts(ctx)
	case *Call_DismissAlerts:
		return done(s.core.DismissAlerts(ctx, body.DismissAlerts.GetIds()...))
	case *Call_Forget:
		return done(s.core.Forget(ctx))
	case *Call_GetArchive:
		return s.archive(ctx)
	case *Call_SetArchive:
		return s.setArchive(ctx, body.SetArchive)
	default:
		return s.dispatchLink(ctx, call)
	}
}

// dispatchRoom is the rest of dispatch: what rooms can do.
func (s *Server) dispatchRoom(ctx context.Context, call *Call) (isPacket_Body, error) {
	switch body := call.Body.(type) {
	case *Call_ListRooms:
		return s.listRooms(ctx)
	case *Call_OpenDirect:
		return s.roomAfter(ctx, func() (ident.RoomID, error) { return s.core.Direct(ctx, body.OpenDirect.GetHandle()) })
	case *Call_PostDirect:
		return s.roomAfter(ctx, func() (ident.RoomID, error) {
			return s.core.PostDirect(ctx, body.PostDirect.GetHandle(), body.PostDirect.GetText())
		})
	case *Call_CreateRoom:
		return s.createRoom(ctx, body.CreateRoom)
	case *Call_JoinRoom:
		return s.withRoom(body.JoinRoom.GetRoom(), func(room ident.RoomID) error { return s.core.JoinRoom(ctx, room) })
	case *Call_LeaveRoom:
		return s.withRoom(body.LeaveRoom.GetRoom(), func(room ident.RoomID) error { return s.core.LeaveRoom(ctx, room) })
	case *Call_MarkRead:
		return s.withRoom(body.MarkRead.GetRoom(), func(room ident.RoomID) error {
			return s.core.MarkRead(ctx, room, body.MarkRead.GetSeq())
		})
	case *Call_AddMembers:
		return s.withRoom(body.AddMembers.GetRoom(), func(room ident.RoomID) error {
			return s.core.AddMembers(ctx, room, body.AddMembers.GetHandles()...)
		})
	case *Call_RemoveMembers:
		return s.withRoom(body.RemoveMembers.GetRoom(), func(room ident.RoomID) error {
			return s.core.RemoveMembers(ctx, room, body.RemoveMembers.GetHandles()...)
		})
	case *Call_SetRole:
		return s.withRoom(body.SetRole.GetRoom(), func(room ident.RoomID) error {
			return s.core.SetRole(ctx, room, body.SetRole.GetHandle(), body.SetRole.GetRole())
		})
	case *Call_ChangeRoom:
		return s.changeRoom(ctx, body.ChangeRoom)
	case *Call_ListMembers:
		return s.listMembers(ctx, body.ListMembers.GetRoom())
	default:
		return s.dispatchInvite(ctx, call)
	}
}

// dispatchInvite is the last of dispatch: how people come into rooms.
func (s *Server) dispatchInvite(ctx context.Context, call *Call) (isPacket_Body, error) {
	switch body := call.Body.(type) {
	case *Call_AdmitRoom:
		verb := s.core.AcceptRoom
		if body.AdmitRoom.GetDecline() {
			verb = s.core.DeclineRoom
		}
		return s.withRoom(body.AdmitRoom.GetRoom(), func(room ident.RoomID) error { return verb(ctx, room) })
	case *Call_CreateRoomInvite:
		return s.createRoomInvite(ctx, body.CreateRoomInvite)
	case *Call_ListRoomInvites:
		return s.listRoomInvites(ctx, body.ListRoomInvites)
	case *Call_RevokeRoomInvite:
		return s.revokeRoomInvite(ctx, body.RevokeRoomInvite)
	case *Call_JoinByInvite:
		room, err := s.core.JoinByInvite(ctx, body.JoinByInvite.GetCode())
		if err != nil {
			return nil, err
		}
		return &Packet_Room{Room: toRoom(room)}, nil
	case *Call_BlockAccount:
		if body.BlockAccount.GetUnblock() {
			return done(s.core.Unblock(ctx, body.BlockAccount.GetHandle()))
		}
		return done(s.core.Block(ctx, body.BlockAccount.GetHandle()))
	case *Call_ListBlocked:
		return accounts(ctx, s.core.Blocked)
	default:
		return nil, &client.Error{Code: client.Failed, Message: "the page asked for something that this core does not know", Hint: "reload the page"}
	}
}

// done answers a verb that gives nothing but its error.
func done(err error) (isPacket_Body, error) { return &Packet_Done{Done: &Done{}}, err }

func (s *Server) withRoom(room string, verb func(ident.RoomID) error) (isPacket_Body, error) {
	id, err := ident.ParseRoomID(room)
	if err != nil {
		return nil, err
	}
	return done(verb(id))
}

func (s *Server) withMessage(room, id string, verb func(ident.RoomID, ident.MessageID) error) (isPacket_Body, error) {
	message, err := ident.ParseMessageID(id)
	if err != nil {
		return nil, err
	}
	return s.withRoom(room, func(room ident.RoomID) error { return verb(room, message) })
}

// refusal is what the page is told of an error.
func refusal(err error) *Refusal {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return &Refusal{Code: codes[e.Code], Message: e.Message, Hint: e.Hint}
	}
	if errors.Is(err, context.Canceled) {
		return &Refusal{Code: RefusalCode_REFUSAL_CODE_FAILED, Message: "the page is closing"}
	}
	return &Refusal{Code: RefusalCode_REFUSAL_CODE_FAILED, Message: err.Error()}
}

var codes = map[client.Code]RefusalCode{
	client.Failed:      RefusalCode_REFUSAL_CODE_FAILED,
	client.Usage:       RefusalCode_REFUSAL_CODE_USAGE,
	client.Refused:     RefusalCode_REFUSAL_CODE_REFUSED,
	client.NotFound:    RefusalCode_REFUSAL_CODE_NOT_FOUND,
	client.Unreachable: RefusalCode_REFUSAL_CODE_UNREACHABLE,
}
