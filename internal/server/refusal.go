package server

import (
	"fmt"
	"time"

	"snug/internal/wire"
)

// Refusal is the answer to a request that was definitely not carried out. It is an
// error so that it passes through the Store; it goes to the client as it is, so
// it says nothing that its reader may not know.
type Refusal struct {
	Code wire.ErrorCode
	// Message is what is wrong, for a person; Hint what to do about it.
	Message, Hint string
	// Epoch and Seq are the room's, with EPOCH.
	Epoch, Seq uint64
	// RetryAfter is set with RATE_LIMITED and UNAVAILABLE.
	RetryAfter time.Duration
}

// Error gives the message, and the hint if there is one.
func (r *Refusal) Error() string {
	if r.Hint == "" {
		return "server: " + r.Message
	}
	return fmt.Sprintf("server: %s (%s)", r.Message, r.Hint)
}

// Is makes errors.Is true for refusals of the same code.
func (r *Refusal) Is(target error) bool {
	other, ok := target.(*Refusal)
	return ok && other.Code == r.Code
}

// Refuse makes a refusal with a message and no more.
func Refuse(code wire.ErrorCode, message string) *Refusal {
	return &Refusal{Code: code, Message: message}
}

// Refusals that more than one place gives, so that they cannot be told apart.
var (
	ErrRoomNotFound = &Refusal{Code: wire.ErrorCode_ERROR_CODE_NOT_FOUND, Message: "no such room",
		Hint: "list your rooms to see which there are"}
	ErrAccountNotFound = Refuse(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "no such account")
	ErrDeviceNotFound  = Refuse(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "no such device")
	ErrRevoked         = Refuse(wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, "this device is revoked")
	ErrStorageFull     = &Refusal{Code: wire.ErrorCode_ERROR_CODE_STORAGE_FULL, Message: "the server's disk is full",
		Hint: "nothing was lost; try again when its operator has made room"}
	ErrQuota = &Refusal{Code: wire.ErrorCode_ERROR_CODE_STORAGE_FULL, Message: "this account has stored as much on the server as it may; whoever runs it can let it store more",
		Hint: "turn the archive off where it is not needed, or have snug serve --quota say more"}
	ErrHandleTaken = &Refusal{Code: wire.ErrorCode_ERROR_CODE_HANDLE_TAKEN, Message: "that handle is taken", Hint: "choose another"}
	// What is wrong with an invite is told to whoever has it: it is not to be guessed.
	ErrInviteUnknown = &Refusal{Code: wire.ErrorCode_ERROR_CODE_INVITE_INVALID, Message: "there is no such invite here",
		Hint: "look whether all of it was copied, or ask for a new one"}
	ErrInviteUsed = &Refusal{Code: wire.ErrorCode_ERROR_CODE_INVITE_INVALID, Message: "that invite was used before: it makes one account",
		Hint: "if it was you, sign in with your handle and passphrase; if not, ask for a new one"}
	ErrInviteExpired = &Refusal{Code: wire.ErrorCode_ERROR_CODE_INVITE_INVALID, Message: "that invite has expired",
		Hint: "ask whoever sent it for a new one"}
	ErrClosed = &Refusal{Code: wire.ErrorCode_ERROR_CODE_REGISTRATION_CLOSED, Message: "this server takes no new accounts",
		Hint: "ask whoever runs it; who has an account here signs in with handle and passphrase"}
	ErrChainGrown = &Refusal{Code: wire.ErrorCode_ERROR_CODE_CONFLICT, Message: "the account's chain has changed meanwhile",
		Hint: "log in again"}
)

func badRequest(message string) *Refusal {
	return Refuse(wire.ErrorCode_ERROR_CODE_BAD_REQUEST, message)
}

// frame gives the refusal as the answer to request id.
func (r *Refusal) frame(id uint64) *wire.ServerFrame {
	return &wire.ServerFrame{Id: id, Body: &wire.ServerFrame_Error{Error: &wire.Error{
		Code: r.Code, Message: r.Message, Hint: r.Hint, Epoch: r.Epoch, Seq: r.Seq,
		RetryAfterMs: r.RetryAfter.Milliseconds(),
	}}}
}
