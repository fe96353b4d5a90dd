package client

import (
	"errors"
	"sort"
	"time"

	"snug/internal/wire"
)

// request is a request to the server, under way or waiting for a connection.
type request struct {
	id   uint64
	call uint64 // who is told where the server refuses; 0: nobody
	// name tells requests of the background apart, so that none is made twice; may be empty.
	name string
	// needs is the phase that the connection must be in.
	needs phase
	frame *wire.ClientFrame
	// prepare fills in what depends on the connection. May be nil.
	prepare func(c *Core, frame *wire.ClientFrame)
	// sticky requests are sent again, with the same bytes, on the next connection. Others are forgotten, after lost was
	// called where it is not nil.
	sticky bool
	lost   func(c *Core)
	// then gets the answer, never an Error unless refused is nil and call is 0.
	then func(c *Core, reply *wire.ServerFrame)
	// refused gets the server's Error. Where it is nil the call is told.
	refused func(c *Core, err *wire.Error)

	sent   bool
	sentAt time.Time
}

// ask begins a request. One with a name that is already under way is dropped.
func (c *Core) ask(r request) {
	if r.name != "" {
		if _, asked := c.vol.named[r.name]; asked {
			return
		}
		c.vol.named[r.name] = c.vol.nextID
	}
	r.id = c.vol.nextID
	c.vol.nextID++
	c.vol.requests[r.id] = r
}

// asking reports whether a request of this name is under way.
func (c *Core) asking(name string) bool {
	_, ok := c.vol.named[name]
	return ok
}

func (c *Core) forget(r request) {
	delete(c.vol.requests, r.id)
	if r.name != "" {
		delete(c.vol.named, r.name)
	}
}

// requestIDs gives the ids of all requests in the order in which they were made.
func (c *Core) requestIDs() []uint64 {
	ids := make([]uint64, 0, len(c.vol.requests))
	for id := range c.vol.requests {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i] < ids[j] })
	return ids
}

// sendRequests sends what the connection is ready for, in the order in which it was asked.
func (c *Core) sendRequests() {
	underWay := 0
	for _, r := range c.vol.requests {
		if r.sent {
			underWay++
		}
	}
	if underWay == len(c.vol.requests) {
		return
	}
	for _, id := range c.requestIDs() {
		r := c.vol.requests[id]
		if r.sent || c.vol.connection.phase < r.needs || underWay >= maxUnderWay {
			continue
		}
		if c.vol.connection.draining {
			continue
		}
		if r.prepare != nil {
			r.prepare(c, r.frame)
		}
		r.sent, r.sentAt = true, c.now
		c.vol.requests[id] = r
		if r.call != 0 && changes(r.frame) {
			c.vol.told[r.call] = true
		}
		c.sendFrame(id, r.frame)
		underWay++
	}
}

func (c *Core) sendFrame(id uint64, frame *wire.ClientFrame) {
	frame.Id = id
	b, err := frame.MarshalVT()
	if err != nil {
		c.fail(failed("encoding a frame", err))
		return
	}
	c.vol.connection.spoke = c.now
	c.out.frames = append(c.out.frames, b)
}

// answered hands a reply to the request that it is for. A second answer finds none, and is ignored.
func (c *Core) answered(frame *wire.ServerFrame) {
	r, ok := c.vol.requests[frame.Id]
	if !ok || !r.sent {
		return
	}
	refusal, isError := frame.Body.(*wire.ServerFrame_Error)
	if !isError {
		c.forget(r)
		r.then(c, frame)
		return
	}
	if transient(refusal.Error.Code) && r.sticky {
		// The outcome is unknown until the same bytes have been sent again.
		r.sent = false
		c.vol.requests[r.id] = r
		c.hangUp(refusal.Error.Message, c.now.Add(retryAfter(refusal.Error)))
		return
	}
	c.forget(r)
	if r.refused != nil {
		r.refused(c, refusal.Error)
		return
	}
	c.reply(r.call, nil, serverError(refusal.Error))
}

// transient errors leave open what became of the request, or ask for patience.
func transient(code wire.ErrorCode) bool {
	switch code {
	case wire.ErrorCode_ERROR_CODE_INTERNAL, wire.ErrorCode_ERROR_CODE_UNAVAILABLE,
		wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED:
		return true
	}
	return false
}

// retryAfter is how long the server asks to be left alone.
func retryAfter(e *wire.Error) time.Duration {
	d := time.Duration(e.RetryAfterMs) * time.Millisecond
	return min(max(d, backoffFirst), backoffMost)
}

// dropConnectionRequests forgets what was said to a connection that has ended, or arranges that it is said again.
func (c *Core) dropConnectionRequests() {
	for _, id := range c.requestIDs() {
		r := c.vol.requests[id]
		if r.sticky {
			r.sent = false
			c.vol.requests[id] = r
			continue
		}
		c.forget(r)
		if r.lost != nil {
			r.lost(c)
		}
	}
}

// failCalls answers everybody who waits for the server.
func (c *Core) failCalls(err *Error) {
	for _, id := range c.requestIDs() {
		if r := c.vol.requests[id]; r.call != 0 {
			c.reply(r.call, nil, err)
			c.forget(r)
		}
	}
	for _, w := range c.vol.waits {
		c.reply(w.call, nil, err)
	}
	c.vol.waits = nil
}

// errProtocol says that the server's answer is not one to the question.
var errProtocol = refuse(Failed, "the server may be of another version", "the server gave an answer that does not fit the request")

// serverError gives the server's Error as a verb's.
func serverError(e *wire.Error) *Error {
	code := Failed
	switch e.Code {
	case wire.ErrorCode_ERROR_CODE_UNAUTHENTICATED, wire.ErrorCode_ERROR_CODE_FORBIDDEN, wire.ErrorCode_ERROR_CODE_HANDLE_TAKEN,
		wire.ErrorCode_ERROR_CODE_CONFLICT, wire.ErrorCode_ERROR_CODE_INVITE_INVALID,
		wire.ErrorCode_ERROR_CODE_REGISTRATION_CLOSED, wire.ErrorCode_ERROR_CODE_CREDENTIALS:
		code = Refused
	case wire.ErrorCode_ERROR_CODE_NOT_FOUND:
		code = NotFound
	case wire.ErrorCode_ERROR_CODE_TOO_LARGE, wire.ErrorCode_ERROR_CODE_BAD_REQUEST:
		code = Usage
	case wire.ErrorCode_ERROR_CODE_RATE_LIMITED, wire.ErrorCode_ERROR_CODE_UNAVAILABLE:
		code = Unreachable
	}
	return &Error{Code: code, Message: e.Message, Hint: e.Hint, cause: errors.New(e.Code.String())}
}
