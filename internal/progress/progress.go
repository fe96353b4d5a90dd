// Package progress tells a person how far a stream has come, by a line on a terminal that is renewed in its place. Begin
// with Show. It counts nothing itself, and knows nothing of what flows.
package progress

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

const (
	// every is how often the line is renewed: as often as a person can read it.
	every = 500 * time.Millisecond
	// weight is the part of the last interval in the rate: what is shown follows a change within two seconds, and does
	// not jump.
	weight = 0.3
	// longest is the longest time left that is worth a figure: beyond it the rate is no rate.
	longest = 100 * time.Hour

	erase = "\r\x1b[K"
)

// A Stream is what is looked at. Its functions are called from one goroutine.
type Stream struct {
	// Moved gives the bytes received and sent so far.
	Moved func() (received, sent int64)
	// Size is how many bytes will be sent in all; negative if nobody knows.
	Size int64
	// Width, where set, gives the columns of the terminal; 0 where nobody knows. What does not fit on one line is left out:
	// a second one would stay.
	Width func() int
	// Quiet, where set, reports whether the line has to stay away, because something else stands there.
	Quiet func() bool
}

// Show renews the line on w until stop is called, which takes it away and returns when nothing more will be written.
func Show(w io.Writer, s Stream) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		show(w, s, done)
	}()
	return func() {
		close(done)
		<-ended
	}
}

func show(w io.Writer, s Stream, done <-chan struct{}) {
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	var rate meter
	shown := false
	for {
		select {
		case <-done:
			if shown {
				io.WriteString(w, erase)
			}
			return
		case <-ticks.C:
		}
		received, sent := s.Moved()
		rate.look(received + sent)
		if s.Quiet == nil || !s.Quiet() {
			io.WriteString(w, erase+s.line(received, sent, rate.perSecond))
			shown = true
		}
	}
}

// A meter is a rate that is smoothed over a few intervals.
type meter struct {
	before    int64
	looks     int
	perSecond float64
}

func (m *meter) look(moved int64) {
	now := float64(moved-m.before) / every.Seconds()
	m.before = moved
	m.looks++
	// The first looks count fully, so that the rate does not begin at nothing and creep up.
	m.perSecond += max(weight, 1/float64(m.looks)) * (now - m.perSecond)
}

// line is what is shown. What has moved in one direction only is all that is said.
func (s Stream) line(received, sent int64, perSecond float64) string {
	var parts []string
	if received > 0 || sent == 0 {
		parts = append(parts, Bytes(received)+" received")
	}
	if sent > 0 {
		text := Bytes(sent)
		if s.Size >= sent {
			text += " of " + Bytes(s.Size)
		}
		parts = append(parts, text+" sent")
	}
	parts = append(parts, Bytes(int64(perSecond))+"/s")
	if left := s.left(sent, perSecond); left != "" {
		parts = append(parts, left+" left")
	}
	return s.fit(parts)
}

// fit joins as many of the parts as there is room for. In the last column a terminal may begin a new line.
func (s Stream) fit(parts []string) string {
	most := 0
	if s.Width != nil {
		most = s.Width() - 1
	}
	text := "snug: " + strings.Join(parts, ", ")
	for ; most > 0 && len(text) > most && len(parts) > 1; text = "snug: " + strings.Join(parts, ", ") {
		parts = parts[:len(parts)-1]
	}
	if most > 0 {
		text = text[:min(len(text), most)]
	}
	return text
}

// left is how long the rest takes at this rate, as h:mm:ss; empty where nobody can say.
func (s Stream) left(sent int64, perSecond float64) string {
	if s.Size < sent || sent == 0 || perSecond <= 0 {
		return ""
	}
	seconds := math.Ceil(float64(s.Size-sent) / perSecond)
	if seconds > longest.Seconds() {
		return ""
	}
	n := int(seconds)
	if n < 3600 {
		return fmt.Sprintf("%d:%02d", n/60, n%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", n/3600, n/60%60, n%60)
}

// Bytes is a number of bytes as people read it: whole below 1,000, else with three digits and a binary unit.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n), -1
	for value >= 999.5 && unit < 5 {
		value, unit = value/1024, unit+1
	}
	decimals := 2
	for limit := 9.995; value >= limit && decimals > 0; limit *= 10 {
		decimals--
	}
	return fmt.Sprintf("%.*f %ciB", decimals, value, "KMGTPE"[unit])
}
