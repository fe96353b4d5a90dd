package tunnel

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Protocol is the ALPN name of a carrier: a connection between two tunnels that takes one stream after another, in the
// frames of this file. docs/tunnel.md states it step by step.
const Protocol = "snug-tunnel/1"

// A kind says what a frame is.
type kind byte

const (
	// kindOpen begins the stream of its number; from the connecting end.
	kindOpen kind = 1 + iota
	// kindAccept says that the stream's target was reached; from the accepting end, as the two after it are from both.
	kindAccept
	// kindRefuse says that it was not, and ends the stream in both directions; from the accepting end.
	kindRefuse
	// kindData carries bytes of the stream under way.
	kindData
	// kindEnd is the stream's proper end in its direction.
	kindEnd
	// kindReset says that the stream broke behind its sender: what came is not all. The carrier ends with it.
	kindReset
)

const (
	// headerSize is a frame's kind and, in three bytes, the length of what follows.
	headerSize = 4
	// maxData is the most that a frame of data holds: with its header it fills 32 records of TLS.
	maxData = manyRecords*maxRecord - headerSize
	// maxRecord is the most that a record of TLS holds (RFC 8446, Section 5.1).
	maxRecord = 16 << 10
	// controlSize is what follows the header of every other frame: the stream's number and a reason, which is 0 but in
	// kindRefuse and kindReset.
	controlSize = 9
)

// errFrame ends a carrier whose far end does not keep to the protocol.
var errFrame = errors.New("tunnel: frame out of place")

// A reason says why a stream was refused or reset.
type reason byte

const (
	reasonNone   reason = iota
	reasonTarget        // the target could not be reached
	reasonLimit         // the peer has too many streams
	reasonBroken        // the connection behind the tunnel broke
	reasonTime          // a deadline passed
	numReasons
)

// String says it in words.
func (r reason) String() string {
	switch r {
	case reasonTarget:
		return "its target cannot be reached"
	case reasonLimit:
		return "it has too many streams of ours"
	case reasonBroken:
		return "the connection behind it broke"
	case reasonTime:
		return "a deadline passed"
	}
	return "no reason given"
}

// putHeader writes the header of a frame of data in front of n bytes.
func putHeader(b []byte, n int) {
	binary.BigEndian.PutUint32(b, uint32(kindData)<<24|uint32(n))
}

// appendControl appends a frame of any other kind.
func appendControl(b []byte, k kind, number uint64, why reason) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(k)<<24|controlSize)
	b = binary.BigEndian.AppendUint64(b, number)
	return append(b, byte(why))
}

// A phase is where one direction of a carrier stands.
type phase byte

const (
	between  phase = iota // no stream is under way in this direction
	awaiting              // from the accepting end: a stream was opened and has no answer yet
	within                // after the opening or the answer, before the end
	over                  // after a reset, or after an error
)

// A decoder follows one direction of a carrier. What it lets through is, for the connecting end,
//
//	( open(n) data* end(n) )*  with n = 1, 2, 3 …
//
// and for the accepting end, where each group answers the open of its number,
//
//	( accept(n) data* end(n)  |  refuse(n) )*
//
// each of them cut short by a reset(n) at most. Whatever else comes is errFrame, and nothing after it is looked at.
type decoder struct {
	accepting bool // the frames are those of the accepting end
	number    uint64
	phase     phase
	left      int // bytes of data to come before the next header
	control   [headerSize + controlSize]byte
	have      int // bytes of the frame under way that lie in control
}

// An event is what a decoder found: some bytes of a frame of data, or another frame whole.
type event struct {
	kind kind // 0 where all was consumed without completing anything
	data []byte
	why  reason
}

// next consumes the beginning of b, up to the first event, and gives what is left of b. Data is a part of b.
func (d *decoder) next(b []byte) (event, []byte, error) {
	for len(b) > 0 {
		if d.left > 0 {
			n := min(d.left, len(b))
			d.left -= n
			return event{kind: kindData, data: b[:n]}, b[n:], nil
		}
		want := headerSize
		if d.have >= headerSize {
			want += controlSize
		}
		n := copy(d.control[d.have:want], b)
		d.have += n
		b = b[n:]
		if d.have < want {
			break
		}
		found, err := d.frame()
		if err != nil {
			d.phase = over
			return event{}, nil, err
		}
		if found.kind != 0 {
			return found, b, nil
		}
	}
	return event{}, nil, nil
}

// frame judges a header, or a frame that is there whole.
func (d *decoder) frame() (event, error) {
	header := binary.BigEndian.Uint32(d.control[:])
	k, size := kind(header>>24), int(header&0xffffff)
	if d.phase == over {
		return event{}, fmt.Errorf("%w: after the last one", errFrame)
	}
	if k == kindData {
		if d.phase != within || size == 0 || size > maxData {
			return event{}, fmt.Errorf("%w: %d bytes of data", errFrame, size)
		}
		d.left, d.have = size, 0
		return event{}, nil
	}
	if size != controlSize {
		return event{}, fmt.Errorf("%w: kind %d with %d bytes", errFrame, k, size)
	}
	if d.have == headerSize {
		return event{}, nil // the rest of it is to come
	}
	d.have = 0
	number, why := binary.BigEndian.Uint64(d.control[headerSize:]), reason(d.control[headerSize+8])
	if !d.step(k, number) || why >= numReasons || (why != reasonNone) != (k == kindRefuse || k == kindReset) {
		return event{}, fmt.Errorf("%w: kind %d of stream %d", errFrame, k, number)
	}
	return event{kind: k, why: why}, nil
}

// step makes the move that a control frame means, if there is one.
func (d *decoder) step(k kind, number uint64) bool {
	switch {
	case k == kindOpen && !d.accepting && d.phase == between && number == d.number+1:
		d.number, d.phase = number, within
	case number != d.number:
		return false
	case k == kindAccept && d.accepting && d.phase == awaiting:
		d.phase = within
	case k == kindRefuse && d.accepting && d.phase == awaiting:
		d.phase = between
	case k == kindEnd && d.phase == within:
		d.phase = between
	case k == kindReset && d.phase == within:
		d.phase = over
	default:
		return false
	}
	return true
}

// await tells the decoder of the accepting end's frames that the stream of this number was opened.
func (d *decoder) await(number uint64) { d.number, d.phase = number, awaiting }

// refused tells the decoder of the connecting end's frames that its stream was refused: it is over without an end.
func (d *decoder) refused() { d.phase = between }

// whole reports whether the last frame is complete and no stream is under way in this direction.
func (d *decoder) whole() bool { return d.phase == between && d.left == 0 && d.have == 0 }
