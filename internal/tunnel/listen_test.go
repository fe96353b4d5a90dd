package tunnel_test

import (
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"

	"snug/internal/tunnel"
)

// A stage is a listener to which happens what is written: an error, or nil for a connection.
type stage struct {
	net.Listener
	script []error
}

func (s *stage) Accept() (net.Conn, error) {
	if len(s.script) == 0 {
		return nil, net.ErrClosed
	}
	err := s.script[0]
	s.script = s.script[1:]
	if err != nil {
		return nil, err
	}
	return &net.TCPConn{}, nil
}

// TestAcceptFails: that nobody can come in is told when it begins, and not at each try.
func TestAcceptFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := syscall.EMFILE
		l := &stage{script: []error{nil, full, full, full, nil, nil, full, nil}}
		came := 0
		var told []error
		tunnel.Accept(t.Context(), l, func(net.Conn) { came++ }, func(err error) { told = append(told, err) })
		if came != 4 || !slices.Equal(told, []error{full, full}) {
			t.Errorf("%d came, and told of %v; want 4 and twice of %v", came, told, full)
		}
	})
}
