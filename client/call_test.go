package client

import "testing"

// TestCallAnsweredAtTheEnd: what the core has answered before the client stopped is the answer, whichever of the two is heard first.
func TestCallAnsweredAtTheEnd(t *testing.T) {
	for range 64 {
		c := &Client{calls: make(chan verb), stopped: make(chan struct{})}
		go func() {
			v := <-c.calls
			v.reply <- done{value: "sent"}
			close(c.stopped)
		}()
		if value, err := c.do(t.Context(), nil); value != "sent" || err != nil {
			t.Fatalf("got %v, %v, want the answer", value, err)
		}
	}
}
