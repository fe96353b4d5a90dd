package client

import "snug/internal/wire"

// What somebody is told who waits no longer. A change is done, not done, or of unknown outcome; of what is stored here it is
// sure that it will be done, or be refused.
const (
	outcomeNone    = "nothing was changed: try again"
	outcomeUnknown = "it is not known whether this was done: look, before you try again"

	keptMessage = "the message is kept, and sent as soon as it can be"
	keptRoom    = "the room is kept, and made as soon as the server can be reached"
	keptDirect  = "the room is kept, and opened as soon as it can be; nothing was said in it"
	keptLeave   = "the wish to leave is kept, and carried out as soon as the server can be reached"
	keptChange  = "the change is kept, and made as soon as it can be"
	keptKnock   = "the request to be let in is kept; it goes on as soon as the server can be reached"
)

// cancel ends the wait of a call, and says what has come of it. What it has begun goes on where it is durable, or where the
// server was told of it; anything else stays undone.
func (c *Core) cancel(call uint64) {
	hint := outcomeNone
	if c.vol.told[call] {
		hint = outcomeUnknown
	}
	for i, w := range c.vol.waits {
		if w.call == call {
			if w.kept != "" {
				hint = w.kept
			}
			c.vol.waits = append(c.vol.waits[:i:i], c.vol.waits[i+1:]...)
			break
		}
	}
	for id, r := range c.vol.requests {
		if r.call != call {
			continue
		}
		r.call = 0
		switch {
		case !r.sent:
			c.forget(r)
		case !changes(r.frame):
			// What would have followed from the answer does not.
			r.sticky, r.lost = false, nil
			r.then, r.refused = func(*Core, *wire.ServerFrame) {}, func(*Core, *wire.Error) {}
			c.vol.requests[id] = r
		default:
			c.vol.requests[id] = r
		}
	}
	c.reply(call, nil, &Error{Code: Unreachable, Message: "no answer in time", Hint: hint})
}

// reply answers a call once the step is durable. Call 0 is nobody's.
func (c *Core) reply(call uint64, value any, err error) {
	delete(c.vol.told, call)
	c.step.reply(call, value, err)
}

// changes reports whether a request asks the server to change anything. What is not known to be a question does.
func changes(frame *wire.ClientFrame) bool {
	switch frame.Body.(type) {
	case *wire.ClientFrame_Hello, *wire.ClientFrame_Ping, *wire.ClientFrame_Authenticate,
		*wire.ClientFrame_GetLoginParameters, *wire.ClientFrame_Login, *wire.ClientFrame_ListAccounts,
		*wire.ClientFrame_GetChains, *wire.ClientFrame_WatchAccounts, *wire.ClientFrame_GetVault,
		*wire.ClientFrame_GetArchive, *wire.ClientFrame_FetchArchive, *wire.ClientFrame_ListRooms,
		*wire.ClientFrame_ListMembers, *wire.ClientFrame_Fetch, *wire.ClientFrame_Follow:
		return false
	}
	return true
}
