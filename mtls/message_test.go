package mtls_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"snug/mtls"
)

func TestMessages(t *testing.T) {
	alice, bob := pair(t)
	const limit = 200_000
	out, in := mtls.NewMessages(alice, limit), mtls.NewMessages(bob, limit)
	want := [][]byte{{}, []byte("a"), bytes.Repeat([]byte("long "), limit/5), {}, []byte("the last")}
	go func() {
		for _, m := range want {
			out.WriteMessage(m)
		}
		alice.CloseWrite()
	}()
	for i, m := range want {
		got, err := in.ReadMessage()
		if err != nil || !bytes.Equal(got, m) {
			t.Fatalf("message %d: %d bytes, %v; want %d", i, len(got), err, len(m))
		}
	}
	if m, err := in.ReadMessage(); err != io.EOF {
		t.Errorf("after the last: %q, %v, want io.EOF", m, err)
	}
	if err := in.WriteMessage([]byte("heard")); err != nil {
		t.Error(err)
	}
	if m, err := out.ReadMessage(); string(m) != "heard" || err != nil {
		t.Errorf("the other half: %q, %v", m, err)
	}
}

// TestMessagesAtOnce: messages of several goroutines do not mix.
func TestMessagesAtOnce(t *testing.T) {
	alice, bob := pair(t)
	out, in := mtls.NewMessages(alice, 1<<16), mtls.NewMessages(bob, 1<<16)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for range 50 {
				out.WriteMessage(bytes.Repeat([]byte{byte('a' + i)}, 3000*(i+1)))
			}
		})
	}
	go func() {
		writers.Wait()
		alice.CloseWrite()
	}()
	n := 0
	for ; ; n++ {
		m, err := in.ReadMessage()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if i := int(m[0] - 'a'); len(m) != 3000*(i+1) || strings.Trim(string(m), string(m[0])) != "" {
			t.Fatalf("a message of %d bytes is mixed", len(m))
		}
	}
	if n != 400 {
		t.Errorf("%d messages came, want 400", n)
	}
}

// TestMessageEndings: whatever ends the stream, half of a message is never given out.
func TestMessageEndings(t *testing.T) {
	header := func(n uint32, rest string) string { return string(binary.BigEndian.AppendUint32(nil, n)) + rest }
	for name, row := range map[string]struct {
		stream string
		cut    bool // without a word, instead of an end that the peer means
		want   error
	}{
		"ended between messages":     {"", false, io.EOF},
		"ended in a header":          {header(5, "")[:3], false, mtls.ErrTruncated},
		"ended after a header":       {header(5, ""), false, mtls.ErrTruncated},
		"ended in a message":         {header(5, "four"), false, mtls.ErrTruncated},
		"cut between messages":       {"", true, mtls.ErrTruncated},
		"cut in a header":            {header(5, "")[:3], true, mtls.ErrTruncated},
		"cut in a message":           {header(5, "four"), true, mtls.ErrTruncated},
		"one byte more than allowed": {header(101, strings.Repeat("x", 101)), false, mtls.ErrMessageSize},
		"as long as can be said":     {header(1<<32-1, ""), false, mtls.ErrMessageSize},
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := pair(t)
			io.WriteString(alice, row.stream)
			if row.cut {
				alice.NetConn().Close()
			} else {
				alice.CloseWrite()
			}
			if m, err := mtls.NewMessages(bob, 100).ReadMessage(); m != nil || !errors.Is(err, row.want) {
				t.Errorf("got %q, %v, want %v", m, err, row.want)
			}
		})
	}
}

// TestMessageLimit: what is too long is not begun, and the next one goes through.
func TestMessageLimit(t *testing.T) {
	alice, bob := pair(t)
	out, in := mtls.NewMessages(alice, 100), mtls.NewMessages(bob, 100)
	if err := out.WriteMessage(make([]byte, 101)); !errors.Is(err, mtls.ErrMessageSize) {
		t.Errorf("got %v, want ErrMessageSize", err)
	}
	out.WriteMessage(make([]byte, 100))
	if m, err := in.ReadMessage(); len(m) != 100 || err != nil {
		t.Errorf("%d bytes, %v; want 100", len(m), err)
	}
	alice.NetConn().Close()
	for range 2 {
		if err := out.WriteMessage([]byte("lost")); err == nil {
			t.Error("a message went out on a closed connection")
		}
	}
}

// TestMessageMemory: a peer that announces much and sends nothing does not get the memory for it.
func TestMessageMemory(t *testing.T) {
	alice, bob := pair(t)
	alice.Write([]byte{0x40, 0, 0, 0})
	alice.CloseWrite()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := mtls.NewMessages(bob, 1<<30).ReadMessage(); !errors.Is(err, mtls.ErrTruncated) {
		t.Errorf("got %v, want ErrTruncated", err)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 10<<20 {
		t.Errorf("took %d bytes for an announcement of 1 GiB", took)
	}
}
