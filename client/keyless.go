package client

// errKeyless says that the room cannot be used here. The remedy makes this device another one, which the members' clients
// add like any device of a member.
var errKeyless = refuse(Failed, "sign out on this device and in again with the passphrase: then the members let it in anew",
	"this device has lost the keys of the room")

// keyless reports whether this device is in a sealed room whose group its store does not have.
func (c *Core) keyless(r *room) bool {
	return r.kind == Sealed && r.status == joined && c.group(r) == nil
}

// ailment says why a room does not go on, also before the server has been asked for it.
func (c *Core) ailment(r *room) string {
	if r.problem == "" && c.keyless(r) {
		return errKeyless.Message
	}
	return r.problem
}

// remedy says what a person can do about a room's problem; empty where there is none.
func (c *Core) remedy(r *room) string {
	switch {
	case c.keyless(r):
		return errKeyless.Hint
	case r.problem == "":
		return ""
	case r.status == refused:
		return "ask those who are in the room, by another way, who has added this account"
	}
	return "nothing is lost, and each connection goes on from where this one stopped; if it stays so, ask who runs the server"
}
