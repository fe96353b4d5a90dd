package main

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// An onlooker is a relay between the two ends of a program that keeps the beginning of what the accepting end says. Of TLS
// 1.3 the ServerHello is in the open: it says which key exchange and which cipher two ends have agreed on.
type onlooker struct {
	net.Listener
	running sync.WaitGroup
	last    struct {
		sync.Mutex
		said []byte
	}
}

// maxHello is as much as is kept: a HelloRetryRequest, and a ServerHello with the largest key share there is.
const maxHello = 8 << 10

func newOnlooker(far string) (*onlooker, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	o := &onlooker{Listener: l}
	o.running.Go(func() {
		for {
			front, err := l.Accept()
			if err != nil {
				return
			}
			back, err := net.Dial("tcp", far)
			if err != nil {
				front.Close()
				continue
			}
			o.running.Go(func() { io.Copy(back, front); back.Close() })
			o.running.Go(func() { o.watch(front, back); front.Close() })
		}
	})
	return o, nil
}

// watch keeps what comes first.
func (o *onlooker) watch(front, back net.Conn) {
	said := make([]byte, maxHello)
	n := 0
	for n < len(said) {
		more, err := back.Read(said[n:])
		if more > 0 {
			front.Write(said[n : n+more])
		}
		n += more
		o.last.Lock()
		o.last.said = said[:n]
		o.last.Unlock()
		if err != nil {
			return
		}
	}
	io.Copy(front, back)
}

// terms gives what the last connection was agreed on.
func (o *onlooker) terms() (string, error) {
	o.last.Lock()
	defer o.last.Unlock()
	return serverTerms(o.last.said)
}

var errNoHello = errors.New("no ServerHello of TLS 1.3")

// serverTerms finds the ServerHello (RFC 8446, Section 4.1.3) at the beginning of what a server has sent; one that only
// asks for another try is passed over.
func serverTerms(said []byte) (string, error) {
	retried := ""
	for len(said) >= 5 {
		n := int(binary.BigEndian.Uint16(said[3:]))
		kind := said[0]
		if len(said) < 5+n {
			break
		}
		record := said[5 : 5+n]
		said = said[5+n:]
		if kind != 22 {
			continue // change_cipher_spec, for middle boxes
		}
		hello, err := parseServerHello(record)
		if err != nil {
			return "", err
		}
		if !hello.retry {
			return hello.String() + retried, nil
		}
		retried = ", after a HelloRetryRequest"
	}
	return "", errNoHello
}

// A serverHello is what of it we print.
type serverHello struct {
	group   tls.CurveID
	cipher  uint16
	resumed bool
	retry   bool
}

func (h serverHello) String() string {
	s := fmt.Sprintf("%v, %s", h.group, tls.CipherSuiteName(h.cipher))
	if h.resumed {
		s += ", resumed"
	}
	return s
}

// retryRandom is the beginning of the random of a HelloRetryRequest.
const retryRandom = 0xcf21ad74e59a6111

// The extensions that are looked at.
const (
	extPreSharedKey = 41
	extKeyShare     = 51
)

func parseServerHello(b []byte) (h serverHello, err error) {
	const fixed = 4 + 2 + 32 // type and length, version, random
	if len(b) < fixed+1 || b[0] != 2 {
		return h, errNoHello
	}
	h.retry = binary.BigEndian.Uint64(b[6:]) == retryRandom
	b = b[fixed:]
	session := int(b[0])
	if len(b) < 1+session+2+1+2 {
		return h, errNoHello
	}
	h.cipher = binary.BigEndian.Uint16(b[1+session:])
	for b = b[1+session+5:]; len(b) >= 4; {
		kind, n := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if len(b) < 4+n {
			return h, errNoHello
		}
		switch {
		case kind == extPreSharedKey:
			h.resumed = true
		case kind == extKeyShare && n >= 2:
			h.group = tls.CurveID(binary.BigEndian.Uint16(b[4:]))
		}
		b = b[4+n:]
	}
	if h.group == 0 {
		return h, errNoHello
	}
	return h, nil
}
