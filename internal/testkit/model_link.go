package testkit

import (
	"bytes"

	"snug/internal/wire"
)

// modelMailbox is where devices that are linked meet.
type modelMailbox struct {
	account  *modelAccount
	ends     [2]*Session // the old device's, the new one's
	messages [2][][]byte
	granted  bool
}

func (s *Session) openLink(r *wire.OpenLink) *wire.ServerFrame {
	box := s.model.mailboxes[string(r.Mailbox)]
	if box == nil {
		box = &modelMailbox{account: s.account}
		s.model.mailboxes[string(r.Mailbox)] = box
	}
	box.ends[0] = s
	return modelDone()
}

func (s *Session) joinLink(r *wire.JoinLink) *wire.ServerFrame {
	box := s.model.mailboxes[string(r.Mailbox)]
	if box == nil {
		return fault(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "that link code is not in use")
	}
	box.ends[1] = s
	return modelDone()
}

// replayLink hands over what the other end has posted so far.
func (s *Session) replayLink(mailbox []byte, from int) {
	if box := s.model.mailboxes[string(mailbox)]; box != nil {
		for i, message := range box.messages[from] {
			s.send(linkEvent(mailbox, i, message))
		}
	}
}

func linkEvent(mailbox []byte, index int, message []byte) *wire.ServerFrame {
	return &wire.ServerFrame{Body: &wire.ServerFrame_Link{Link: &wire.LinkEvent{Mailbox: mailbox, Index: uint32(index), Message: message}}}
}

func (s *Session) postLink(r *wire.PostLink) *wire.ServerFrame {
	box := s.model.mailboxes[string(r.Mailbox)]
	if box == nil || box.ends[0] != s && box.ends[1] != s {
		return fault(wire.ErrorCode_ERROR_CODE_NOT_FOUND, "that link code is not in use")
	}
	end := 0
	if box.ends[1] == s {
		end = 1
	}
	switch posted := box.messages[end]; {
	case int(r.Index) < len(posted):
		if !bytes.Equal(posted[r.Index], r.Message) {
			return fault(wire.ErrorCode_ERROR_CODE_CONFLICT, "another device is using that link code")
		}
	default:
		box.messages[end] = append(posted, r.Message)
		if other := box.ends[1-end]; other != nil {
			other.send(linkEvent(r.Mailbox, int(r.Index), r.Message))
		}
	}
	box.granted = box.granted || r.Grant && end == 0
	return modelDone()
}

func (s *Session) closeLink(mailbox []byte) *wire.ServerFrame {
	if box := s.model.mailboxes[string(mailbox)]; box != nil {
		delete(s.model.mailboxes, string(mailbox))
		for _, end := range box.ends {
			if end != nil {
				end.send(&wire.ServerFrame{Body: &wire.ServerFrame_Link{Link: &wire.LinkEvent{Mailbox: mailbox, Closed: true}}})
			}
		}
	}
	return modelDone()
}

func (s *Session) loginLink(r *wire.LoginLink) *wire.ServerFrame {
	box := s.model.mailboxes[string(r.Mailbox)]
	if box == nil || box.ends[1] != s || !box.granted {
		return fault(wire.ErrorCode_ERROR_CODE_FORBIDDEN, "the old device has not let this one in")
	}
	a := box.account
	s.loggedIn = a
	return &wire.ServerFrame{Body: &wire.ServerFrame_LoggedIn{LoggedIn: &wire.LoggedIn{Account: a.id(), Chain: a.chain.Marshal(), Vault: a.vault}}}
}
