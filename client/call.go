package client

import (
	"context"
	"errors"
)

// verb is a call on its way to the driver.
type verb struct {
	input input
	reply chan<- done
}

// call runs a verb: begin is stepped in the core, and the answer waited for.
func call[T any](ctx context.Context, c *Client, begin func(c *Core, call uint64)) (T, error) {
	value, err := c.do(ctx, func(core *Core, call uint64) {
		if core.mem.account == nil {
			core.reply(call, nil, errSignedOut)
			return
		}
		begin(core, call)
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return value.(T), nil
}

var errSignedOut = refuse(Refused, "sign in, or make an account", "nobody is signed in on this device").
	run("snug login HANDLE, or snug register HANDLE")

// do steps begin and waits for the answer, signed in or not. Where ctx ends first, the answer is what has come of it.
func (c *Client) do(ctx context.Context, begin func(c *Core, call uint64)) (any, error) {
	reply := make(chan done, 1)
	number := c.nextCall.Add(1)
	select {
	case c.calls <- verb{inputCall{number, begin}, reply}:
	case <-ctx.Done():
		return nil, c.timedOut(ctx, &Error{Code: Unreachable, Message: "no answer in time", Hint: outcomeNone})
	case <-c.stopped:
		return nil, errStopped
	}
	ended := ctx.Done()
	for {
		select {
		case answer := <-reply:
			return answer.value, c.timedOut(ctx, answer.err)
		case <-ended:
			ended = nil
			select {
			case c.calls <- verb{input: inputCancel{number}}:
			case <-c.stopped:
			}
		case <-c.stopped:
			select {
			case answer := <-reply: // given before the client stopped
				return answer.value, c.timedOut(ctx, answer.err)
			default:
				return nil, errStopped
			}
		}
	}
}

var errStopped = refuse(Failed, "", "the client has stopped")

// timedOut adds to the error of a call that was not waited for any longer what was being waited for, and why not longer: the
// time was over, or somebody has ended the wait.
func (c *Client) timedOut(ctx context.Context, err error) error {
	e, ok := err.(*Error)
	if !ok || e.Code != Unreachable || e.cause != nil || ctx.Err() == nil {
		return err
	}
	c.shared.Lock()
	defer c.shared.Unlock()
	late := *e
	late.cause = ctx.Err()
	switch problem := c.shared.connection.Problem; {
	case errors.Is(ctx.Err(), context.Canceled):
		late.Code, late.Message = Failed, "interrupted"
	case problem != "":
		late.Message = "the server could not be reached: " + problem
	}
	return &late
}
