package client

import (
	"context"

	"snug/internal/ident"
	"snug/internal/wire"
)

// hintShorter is for who counts letters.
const hintShorter = "make it shorter: a letter outside of a to z counts for two or three, and an emoji for four or more"

// RoomSettings are changes of a sealed room; nil and empty fields stay as they are.
type RoomSettings struct {
	// Name has 1 to 64 bytes, Topic at most 1,024.
	Name, Topic *string
	// Adds is the least role that adds members, Edits the least that changes name and topic: "owner", "admin" or "member".
	Adds, Edits string
}

// ChangeRoom changes a sealed room's settings and returns when they are so. The server sees none of them.
func (c *Client) ChangeRoom(ctx context.Context, room ident.RoomID, settings RoomSettings) error {
	wants, err := settings.wants()
	if err != nil {
		return err
	}
	_, err = call[struct{}](ctx, c, func(c *Core, call uint64) { c.wantChecked(call, room, wants) })
	return err
}

func (s RoomSettings) wants() (wants []want, err error) {
	if s.Name != nil {
		if *s.Name == "" || checkRoomText(*s.Name, wire.MaxRoomName) != nil {
			return nil, refuse(Usage, hintShorter, "a room's name has 1 to %d bytes", wire.MaxRoomName)
		}
		wants = append(wants, want{kind: wantName, text: *s.Name})
	}
	if s.Topic != nil {
		if checkRoomText(*s.Topic, maxTopic) != nil {
			return nil, refuse(Usage, hintShorter, "a room's topic has at most %d bytes", maxTopic)
		}
		wants = append(wants, want{kind: wantTopic, text: *s.Topic})
	}
	for _, policy := range []struct {
		kind wantKind
		name string
	}{{wantAdds, s.Adds}, {wantEdits, s.Edits}} {
		if policy.name == "" {
			continue
		}
		least, ok := parseRole(policy.name)
		if !ok || least > roleMember {
			return nil, refuse(Usage, "it is owner, admin or member", "%q is not who can be allowed this", policy.name)
		}
		wants = append(wants, want{kind: policy.kind, role: least})
	}
	if len(wants) == 0 {
		return nil, refuse(Usage, "", "nothing is to be changed")
	}
	return wants, nil
}

// mayChangeSettings is mayChange for the room's name, topic and policy.
func (c *Core) mayChangeSettings(now roster, w want) error {
	rank, _ := now.role(c.mem.account.me.Account)
	text := w.kind == wantName || w.kind == wantTopic
	switch {
	case text && rank > now.edits:
		return refuse(Refused, "ask the room's owner", "in this room it takes %s to change name and topic", atLeast(now.edits))
	case !text && rank != roleOwner:
		return refuse(Refused, "ask the room's owner", "only an owner changes who may do what")
	}
	return nil
}
