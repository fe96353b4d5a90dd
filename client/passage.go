package client

import "slices"

// passage collects a part of a room's log, in one direction. What it has passed is in its rows, hidden, or in a gap.
type passage struct {
	core *Core
	room *room
	// low and high are what was asked for; next is the first place that was not passed.
	low, high, next uint64
	forward         bool
	limit           int
	rows            []Message
	// full says that the next row has no place any more.
	full bool
}

func (c *Core) newPassage(r *room, options HistoryOptions) *passage {
	s := &passage{core: c, room: r, low: options.After + 1, high: r.seq, forward: options.forward(), limit: options.Limit}
	if r.kind == OpenToAll {
		s.low = max(s.low, r.since+1)
	}
	if options.Before > 0 {
		s.high = min(s.high, options.Before-1)
	}
	s.next = s.high
	if s.forward {
		s.next = s.low
	}
	return s
}

// read fills the passage from the store.
func (s *passage) read() []Message {
	if s.low > s.high {
		return nil
	}
	scan := ScanOptions{Prefix: keyMessagesOf(s.room.id), From: keyMessage(s.room.id, s.next), Reverse: !s.forward, Limit: s.limit + 16}
	for !s.full {
		records := s.core.scan(scan)
		for _, record := range records {
			s.take(seqOfKey(record.Key), record.Value)
		}
		if len(records) < scan.Limit {
			s.end()
			break
		}
		scan.From = records[len(records)-1].Key // comes again, and was passed
	}
	if !s.forward {
		slices.Reverse(s.rows)
	}
	at := s.core.now
	for i := len(s.rows) - 1; i >= 0; i-- {
		if s.rows[i].At.IsZero() {
			s.rows[i].At = at // a hole has no time: it was over by then
		}
		at = s.rows[i].At
	}
	return s.rows
}

// take passes what is stored at seq, and the hole on the way there.
func (s *passage) take(seq uint64, record []byte) {
	switch {
	case s.full || seq < s.low || seq > s.high:
		return
	case s.forward && seq < s.next, !s.forward && seq > s.next:
		return
	case s.forward && seq > s.next:
		s.hole(span{s.next, seq - 1})
	case !s.forward && seq < s.next:
		s.hole(span{seq + 1, s.next})
	}
	m, err := decodeMessage(s.room.id, seq, record)
	if err != nil {
		m = &Message{Room: s.room.id, Seq: seq, State: Delivered}
		m.gap(gapDamaged)
	}
	s.core.name(m)
	if !m.hidden() {
		s.row(m)
	}
	s.next = seq + 1
	if !s.forward {
		s.next = seq - 1
	}
}

// end passes what comes after the last record.
func (s *passage) end() {
	if s.next >= s.low && s.next <= s.high {
		from, until := s.low, s.next
		if s.forward {
			from, until = s.next, s.high
		}
		s.hole(span{from, until})
	}
	s.full = true
}

// hole adds the gaps of a stretch of which nothing is stored.
func (s *passage) hole(stretch span) {
	parts := s.core.nothingOf(s.room, stretch)
	if !s.forward {
		slices.Reverse(parts)
	}
	for _, part := range parts {
		s.row(s.core.hole(s.room, part.first, part.last))
	}
}

// row adds one, or makes the last gap longer.
func (s *passage) row(m *Message) {
	if n := len(s.rows); n > 0 {
		last := &s.rows[n-1]
		if s.forward && last.joins(m) {
			return
		}
		if !s.forward && m.joins(last) {
			*last = *m
			return
		}
	}
	if s.full = s.full || len(s.rows) == s.limit; !s.full {
		s.rows = append(s.rows, *m)
	}
}
