package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"snug/client"
)

const (
	// barWidth is a progress bar's, in characters.
	barWidth = 24
	// barEvery is how often it is drawn.
	barEvery = 100 * time.Millisecond
)

// progress tells a person what a verb that takes its time is doing: on a terminal with a bar that fills as the step's
// time passes, else with a line for each step.
func (c *call) progress() func(client.Progress) {
	if !isTerminal(c.err) {
		return func(p client.Progress) { c.say("%s", p.Step) }
	}
	end := func() {}
	return func(p client.Progress) {
		end()
		c.say("%s", p.Step)
		end = func() {}
		if p.Expect > 0 {
			end = c.bar(p.Expect)
		}
	}
}

// bar draws until end is called, which takes it away. What it shows is an estimate: it waits at the last but one place
// rather than say that something is done which is not.
func (c *call) bar(expect time.Duration) (end func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	began := time.Now()
	go func() {
		defer close(stopped)
		tick := time.NewTicker(barEvery)
		defer tick.Stop()
		for {
			fmt.Fprintf(c.err, "\r%s", barAt(time.Since(began), expect))
			select {
			case <-tick.C:
			case <-stop:
				fmt.Fprint(c.err, "\r\x1b[K")
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(stop)
		<-stopped
	})
}

func barAt(passed, expect time.Duration) string {
	full := min(int(barWidth*passed/expect), barWidth-1)
	return "[" + strings.Repeat("#", full) + strings.Repeat(" ", barWidth-full) + "]"
}
