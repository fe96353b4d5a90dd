package client

import "slices"

// span is a part of a log, from first to last, both included.
type span struct{ first, last uint64 }

// spans are parts of a log in ascending order, with at least one seq between each two. They are never changed in
// place.
type spans []span

// add gives the spans and one more, which may overlap them. One that ends before it begins adds nothing.
func (s spans) add(more span) spans {
	if more.first == 0 || more.last < more.first {
		return s
	}
	var all spans
	for i, old := range s {
		switch {
		case old.last+1 < more.first:
			all = append(all, old)
		case more.last+1 < old.first:
			return append(append(all, more), s[i:]...)
		default:
			more = span{min(old.first, more.first), max(old.last, more.last)}
		}
	}
	return append(all, more)
}

// minus gives what is in s and not in others.
func (s spans) minus(others spans) (rest spans) {
	for _, left := range s {
		for _, other := range others {
			if other.last < left.first {
				continue
			}
			if other.first > left.last {
				break
			}
			if other.first > left.first {
				rest = append(rest, span{left.first, other.first - 1})
			}
			left.first = other.last + 1
			if left.first > left.last {
				break
			}
		}
		if left.first <= left.last {
			rest = append(rest, left)
		}
	}
	return rest
}

// within gives the parts from first to last.
func (s spans) within(first, last uint64) (parts spans) {
	for _, part := range s {
		part = span{max(part.first, first), min(part.last, last)}
		if part.first <= part.last {
			parts = append(parts, part)
		}
	}
	return parts
}

func (s spans) has(seq uint64) bool {
	return slices.ContainsFunc(s, func(part span) bool { return part.first <= seq && seq <= part.last })
}

// covers reports whether all of part is in s.
func (s spans) covers(part span) bool { return len(spans{part}.minus(s)) == 0 }

// newest gives the last n of them.
func (s spans) newest(n int) spans { return s[max(0, len(s)-n):] }

func (s spans) encode(e *encoder) {
	e.uint(uint64(len(s)))
	next := uint64(0)
	for _, part := range s {
		e.uint(part.first - next)
		e.uint(part.last - part.first)
		next = part.last
	}
}

// decodeSpans reads at most most spans.
func decodeSpans(d *decoder, most int) (s spans) {
	n := d.uint()
	if n > uint64(most) {
		d.err = errRecord
	}
	next := uint64(0)
	for ; n > 0 && d.err == nil; n-- {
		gap, length := d.uint(), d.uint()
		part := span{next + gap, next + gap + length}
		// From the second on there is a seq between; nothing wraps around.
		if gap == 0 || next > 0 && gap == 1 || part.first < gap || part.last < part.first || part.last > maxArchivedSeq {
			d.err = errRecord
			return nil
		}
		s, next = append(s, part), part.last
	}
	return s
}

// maxArchivedSeq keeps sums of places within their type.
const maxArchivedSeq = 1 << 62

// isPlace reports whether a log can have this place, whatever a server says: an honest one's end long before. What is stored
// of any other would not be read again.
func isPlace(seq uint64) bool { return 0 < seq && seq <= maxArchivedSeq }

// isTime reports whether an entry can be of this time, in milliseconds since 1970.
func isTime(at int64) bool { return 0 <= at && at <= maxArchivedAt }
