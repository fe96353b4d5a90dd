package tunnel

import (
	"os"
	"runtime/debug"
	measured "runtime/metrics"
)

// A collecting says how often garbage is collected, and when memory is given back; guarded by Tunnel.sweeping.
type collecting struct {
	// tidied and seen are the handshakes when tidy was done last and when it looked last; left the collections to come.
	tidied, seen int64
	left         int
	percent      int // as it was set last; 0 is the runtime's own
	samples      [2]measured.Sample
}

const (
	// rush is how many handshakes make one, at about 20 KiB each that lie about when they are over.
	rush = 50
	// crowd is how many handshakes at a time make one.
	crowd = 8
	// garbage is how much of it, in bytes, may lie about in a crowd before it is collected: some 600 handshakes' worth. A
	// collection stops the world twice and looks at every stack, and by the runtime's own measure a tunnel with little in
	// use has one after each 40 handshakes.
	garbage = 64 << 20
	// calmPercent is the runtime's own measure, of what is in use; mostPercent bounds ours.
	calmPercent = 100
	mostPercent = 1600
)

// tidy collects what a rush of handshakes has left once it is over, and gives the memory back: the runtime would not for
// minutes. A stack that has grown in a handshake is halved by each collection, so there are several.
func (c *collecting) tidy(handshakes int64) {
	if handshakes-c.tidied >= rush && handshakes == c.seen {
		c.tidied, c.left = handshakes, 4
	}
	c.seen = handshakes
	if c.left > 0 {
		c.left--
		debug.FreeOSMemory()
	}
}

// pace lets more garbage lie about while many shake hands at once, when processor time is what is short. It costs memory
// too: connections that live on lie among more of it, and keep whole pages. So it is not done for those that come one by
// one. Who has set GOGC has said how often already.
func (c *collecting) pace(handshaking int) {
	if os.Getenv("GOGC") != "" {
		return
	}
	percent := calmPercent
	if handshaking >= crowd {
		percent = int(min(max(garbage*100/c.used(), calmPercent), mostPercent))
	}
	// To set it stops the world too, so a small change is not worth it.
	if was := max(c.percent, calmPercent); percent > was*3/2 || percent < was*2/3 {
		c.percent = percent
		debug.SetGCPercent(percent)
	}
}

// used gives the bytes that the last collection has found in use, stacks included.
func (c *collecting) used() (bytes uint64) {
	c.samples[0].Name, c.samples[1].Name = "/gc/heap/live:bytes", "/gc/scan/stack:bytes"
	measured.Read(c.samples[:])
	for _, s := range c.samples {
		if s.Value.Kind() == measured.KindUint64 {
			bytes += s.Value.Uint64()
		}
	}
	return max(bytes, 1)
}
