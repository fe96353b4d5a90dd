package bridge

import "snug/client"

// maxEvents is how many events one packet may stand for. A device that catches up makes thousands in a breath; the page
// paints once for each packet.
const maxEvents = 256

// tell posts the core's events until the channel is closed. What has piled up goes out together: rooms as they are now,
// each once, and messages in their order.
func (s *Server) tell(events <-chan client.Event) {
	for event := range events {
		g := gathered{rooms: make(map[string]int)}
		for n := 0; ; n++ {
			s.gather(&g, event)
			if n == maxEvents {
				break
			}
			var ok bool
			select {
			case event, ok = <-events:
			default:
			}
			if !ok {
				break
			}
		}
		g.flush(s)
	}
}

// gathered are events that wait to be told together.
type gathered struct {
	messages Messages
	list     Rooms
	rooms    map[string]int // where a room is in list
	accounts bool
	archive  bool
	alerts   bool
	resync   bool
}

func (s *Server) gather(g *gathered, event client.Event) {
	switch e := event.(type) {
	case client.MessageChanged:
		g.messages.Messages = append(g.messages.Messages, toMessage(e.Message))
	case client.RoomChanged:
		room := toRoom(e.Room)
		if at, ok := g.rooms[room.Room]; ok {
			g.list.Rooms[at] = room
			return
		}
		g.rooms[room.Room] = len(g.list.Rooms)
		g.list.Rooms = append(g.list.Rooms, room)
	case client.AccountsChanged:
		g.accounts = true
	case client.Resync:
		g.resync = true
	case client.ConnectionChanged:
		connection := &Connection{Online: e.Online, Problem: e.Problem, RetryAt: milliseconds(e.RetryAt)}
		s.mu.Lock()
		s.connection = connection
		s.mu.Unlock()
		s.post(&Packet{Body: &Packet_ConnectionChanged{ConnectionChanged: connection}})
	case client.AlertsChanged:
		g.alerts = true
	case client.ArchiveChanged:
		g.archive = true
	case client.PassphraseChanged:
		s.post(&Packet{Body: &Packet_PassphraseChanged{PassphraseChanged: &PassphraseChanged{Problem: e.Problem}}})
	case client.SignedOut:
		g.flush(s)
		s.post(&Packet{Body: &Packet_SignedOut{SignedOut: &SignedOut{Reason: e.Reason}}})
	}
}

// flush posts what was gathered and forgets it: messages before the rooms whose last one they are.
func (g *gathered) flush(s *Server) {
	if len(g.messages.Messages) > 0 {
		s.post(&Packet{Body: &Packet_MessagesChanged{MessagesChanged: &g.messages}})
	}
	if len(g.list.Rooms) > 0 {
		s.post(&Packet{Body: &Packet_RoomsChanged{RoomsChanged: &g.list}})
	}
	if g.accounts {
		s.post(&Packet{Body: &Packet_AccountsChanged{AccountsChanged: &AccountsChanged{}}})
	}
	if g.archive {
		s.post(&Packet{Body: &Packet_ArchiveChanged{ArchiveChanged: &ArchiveChanged{}}})
	}
	if g.alerts {
		s.post(&Packet{Body: &Packet_AlertsChanged{AlertsChanged: &AlertsChanged{}}})
	}
	if g.resync {
		s.post(&Packet{Body: &Packet_Resync{Resync: &Resync{}}})
	}
	*g = gathered{rooms: make(map[string]int)}
}
