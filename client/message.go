package client

import (
	"context"
	"time"

	"snug/internal/ident"
)

// MessageKind says what stands at a place of the log.
type MessageKind string

const (
	// Text is what somebody said.
	Text MessageKind = "text"
	// Notice is something that happened to the room: who came, who went.
	Notice MessageKind = "notice"
	// Gap is an entry that cannot be shown; Message.Gap says why.
	Gap MessageKind = "gap"
)

// MessageState says how far a message has come.
type MessageState string

const (
	// Pending messages are stored here and not yet acknowledged by the server.
	Pending MessageState = "pending"
	// Delivered messages are in the room's log.
	Delivered MessageState = "sent"
	// Undelivered messages were refused; Message.Problem says why. Retry and Discard are for them.
	Undelivered MessageState = "failed"
)

// Message is one message, notice or gap of a room.
type Message struct {
	Room ident.RoomID
	// Seq is its place in the room's log; 0 while it has none.
	Seq uint64
	// ID is unique together with Device.
	ID ident.MessageID
	// From is the sender's handle.
	From       string
	Account    ident.AccountID
	Device     ident.DeviceID
	DeviceName string
	// At is the server's time for what is in the log, this device's for what is pending.
	At   time.Time
	Kind MessageKind
	// Text is what was said, or the notice's text.
	Text string
	// Gap is why a gap cannot be shown.
	Gap     string
	State   MessageState
	Problem string
	// Own is of this account, by whichever device.
	Own bool
}

// Sent is where a message ended.
type Sent struct {
	Room ident.RoomID
	Seq  uint64
	ID   ident.MessageID
}

// HistoryOptions choose a stretch of a room's history.
type HistoryOptions struct {
	// Before gives messages with a smaller seq, where not 0.
	Before uint64
	// After gives messages with a larger seq.
	After uint64
	// Limit is the most messages to give: the last ones, or where After is set and Before is not the first ones. 0 means
	// 100.
	Limit int
}

// Send says something in a room and waits for the server's acknowledgement. If the context ends first the message stays
// in the outbox and is sent when it can be.
func (c *Client) Send(ctx context.Context, room ident.RoomID, text string) (Sent, error) {
	return Sent{}, errUnwritten
}

// Post says something in a room and returns as soon as the message is durably in the outbox. What becomes of it is told
// by MessageChanged.
func (c *Client) Post(ctx context.Context, room ident.RoomID, text string) (ident.MessageID, error) {
	return ident.MessageID{}, errUnwritten
}

// Retry queues a failed message again.
func (c *Client) Retry(ctx context.Context, room ident.RoomID, id ident.MessageID) error {
	return errUnwritten
}

// Discard forgets a failed message.
func (c *Client) Discard(ctx context.Context, room ident.RoomID, id ident.MessageID) error {
	return errUnwritten
}

// History gives a stretch of a room's messages, ascending by seq; those that are not yet in the log (pending, failed)
// follow at the end where Before is 0. Of open rooms it asks the server for what is not stored here.
func (c *Client) History(ctx context.Context, room ident.RoomID, options HistoryOptions) ([]Message, error) {
	return nil, errUnwritten
}
