package tunnel

import "time"

// What others have so long for. The tests, whose machine may be busy with other things, are more patient: before they begin
// they set these to more.
var (
	// handshakeTimeout bounds a handshake: three round trips over the worst link we mean to serve, 2 s each, and time to
	// compute.
	handshakeTimeout = 10 * time.Second
	// connectTimeout bounds the way to a target, names included: the system's own first four tries (1 + 2 + 4 + 8 s).
	connectTimeout = 15 * time.Second
	// answerTimeout bounds the writing of an answer, which finds room at a far end that reads what it is told.
	answerTimeout = 5 * time.Second
	// openTimeout bounds the answer to an opening: the far end's connectTimeout, and the way there and back.
	openTimeout = connectTimeout + answerTimeout
	// proxyTimeout bounds the header of the PROXY protocol, which who sends it has at hand, and for which who reads it
	// has room.
	proxyTimeout = 5 * time.Second
)

const (
	// lingerTimeout and maxLinger bound what is read and thrown away after a refusal, so that a reset does not overtake
	// the alert: a dialer's last flight is under 4 KiB with a short chain.
	lingerTimeout = time.Second
	maxLinger     = 64 << 10
	// resetTimeout bounds the farewell of a stream that broke.
	resetTimeout = time.Second
	// maxHandshakes bounds those under way on a route; at about 40 KiB each they take 20 MiB. Of more than that the oldest
	// has to go. maxPerAddress bounds those
	// of one address, so that one machine cannot keep the others out.
	maxHandshakes = 512
	maxPerAddress = 128
	// maxDialing bounds the handshakes that a connecting end has under way at a time, well below maxPerAddress of the
	// far end, which may serve several of us behind one address. More streams wait for a carrier.
	maxDialing = 64
	// sweepEvery is how often deadlines and files are looked at. A file is believed when it looks the same twice in a
	// row, so that what it says holds within three sweeps: under one second of the two that we promise.
	sweepEvery = 250 * time.Millisecond
	// rereadEvery is how often files that cannot be used are tried again, as long as they look the same: what was in the way
	// may be their mode, or that there was no descriptor left. A key under a passphrase takes a quarter of a second.
	rereadEvery = 5 * time.Second
	// parkAfter is how long a stream is quiet before its goroutines are given back: about what a person at a terminal
	// takes from one key to the next.
	parkAfter = time.Second
	// maxStreak is how many bytes read in a row may go unnoticed by the runtime: under two milliseconds' worth.
	maxStreak = 2 << 20
	// carrierIdle is how long the connecting end keeps an idle carrier; the accepting end keeps it twice as long, so that
	// it is not closed just as the next stream begins.
	carrierIdle = time.Minute
	// maxBackoff is the longest pause after accept failed, for want of descriptors for instance.
	maxBackoff = time.Second
	// maxFile bounds each file that is read: routes, rules, revoked keys. 64 KiB are 1,200 fingerprints.
	maxFile = 1 << 20
)

// Defaults of a route.
const (
	// DefaultIdle ends a stream on which no byte went either way: longer than the keep-alives of most protocols.
	DefaultIdle = 2 * time.Hour
	// DefaultStreams is how many streams, and connections for them, a peer may have at a time.
	DefaultStreams = 4096
	// DefaultCarriers is how many idle carriers the connecting end keeps.
	DefaultCarriers = 128
	// DefaultDrain is how long streams may go on after the tunnel was told to stop.
	DefaultDrain = 30 * time.Second
)
