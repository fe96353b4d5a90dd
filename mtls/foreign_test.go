package mtls_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"snug/mtls"
)

// A program is openssl, running.
type program struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	done chan struct{} // closed when it has ended

	printed struct {
		sync.Mutex
		text bytes.Buffer
		more *sync.Cond
		over bool
	}
}

// start runs openssl until the test ends.
func (f *forge) start(args ...string) *program {
	f.t.Helper()
	p := &program{cmd: exec.Command("openssl", args...), done: make(chan struct{})}
	p.printed.more = sync.NewCond(&p.printed)
	p.cmd.Dir = f.dir
	out, into := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = into, into
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		f.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait()
		into.Close()
	}()
	go p.read(bufio.NewReader(out))
	f.t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

func (p *program) read(out *bufio.Reader) {
	for {
		b, err := out.ReadByte()
		p.printed.Lock()
		if err == nil {
			p.printed.text.WriteByte(b)
		}
		p.printed.over = err != nil
		p.printed.more.Broadcast()
		p.printed.Unlock()
		if err != nil {
			return
		}
	}
}

// prints waits until it has printed these words, or has ended; it gives all that it has printed.
func (p *program) prints(words string) (all string, found bool) {
	p.printed.Lock()
	defer p.printed.Unlock()
	for {
		if all = p.printed.text.String(); strings.Contains(all, words) {
			return all, true
		}
		if p.printed.over {
			return all, false
		}
		p.printed.more.Wait()
	}
}

// serves starts a server and gives its address.
func (f *forge) serves(args ...string) (*program, net.Addr) {
	f.t.Helper()
	p := f.start(append([]string{"s_server", "-accept", "127.0.0.1:0", "-naccept", "1"}, args...)...)
	all, found := p.prints("ACCEPT 127.0.0.1:")
	if !found {
		f.t.Fatalf("openssl does not listen\n%s", all)
	}
	// The rest of the line is there when its end is.
	for !strings.Contains(all[strings.Index(all, "ACCEPT "):], "\n") {
		time.Sleep(time.Millisecond)
		all, _ = p.prints("ACCEPT 127.0.0.1:")
	}
	line, _, _ := strings.Cut(all[strings.Index(all, "ACCEPT ")+len("ACCEPT "):], "\n")
	addr, err := net.ResolveTCPAddr("tcp", strings.TrimSpace(line))
	if err != nil {
		f.t.Fatal(err)
	}
	return p, addr
}

// couple makes an authority, and an identity of ours and openssl's certificate by it: both are peer.example.org.
func couple(t *testing.T) (f *forge, ours *mtls.Identity, trust mtls.Trust) {
	t.Helper()
	f = newForge(t)
	f.make("root", mould{section: "root"})
	f.make("between", mould{section: "between", issuer: "root"})
	f.make("ours", mould{section: "leaf", issuer: "between"})
	f.make("theirs", mould{section: "leaf", issuer: "between"})
	f.chain("chain.pem", "between")
	trust = f.trust(&badChain{})
	trust.Now = nil // openssl goes by today too
	return f, f.identity("ours", "between"), trust
}

// theirs are openssl's flags for its certificate, and for judging ours.
var theirs = []string{"-cert", "theirs.pem", "-key", "theirs.key", "-cert_chain", "chain.pem", "-CAfile", "root.pem", "-verify_return_error"}

// TestOpenSSLDials: s_client talks to a listener of ours, by an authority and by a pinned key.
func TestOpenSSLDials(t *testing.T) {
	f, ours, authority := couple(t)
	pinned := mtls.Pin(f.identity("theirs").Fingerprint())
	for name, trust := range map[string]mtls.Trust{"by an authority": authority, "by a pinned key": pinned} {
		for _, groups := range []string{"X25519", "P-256"} { // openssl before 3.5 has no hybrid
			t.Run(name+" "+groups, func(t *testing.T) {
				l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
					Identity: ours, Trust: trust, Refused: func(_ net.Addr, err error) { t.Errorf("refused: %v", err) },
				})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				client := f.start(append([]string{"s_client", "-connect", l.Addr().String(), "-alpn", mtls.Protocol, "-groups", groups, "-verify_hostname", "peer.example.org", "-quiet"}, theirs...)...)
				conn, err := l.AcceptConn()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(patience))
				io.WriteString(client.in, "from openssl\n")
				b := make([]byte, len("from openssl\n"))
				if _, err := io.ReadFull(conn, b); err != nil || string(b) != "from openssl\n" {
					t.Fatalf("read %q, %v", b, err)
				}
				io.WriteString(conn, "from us\n")
				conn.Close()
				// The confirmation is the first byte that it hears.
				if all, found := client.prints("\x01from us\n"); !found {
					t.Errorf("openssl printed %q", all)
				}
			})
		}
	}
}

// TestOpenSSLListens: we dial s_server.
func TestOpenSSLListens(t *testing.T) {
	f, ours, authority := couple(t)
	pinned := mtls.Pin(f.identity("theirs").Fingerprint())
	for name, trust := range map[string]mtls.Trust{"by an authority": authority, "by a pinned key": pinned} {
		t.Run(name, func(t *testing.T) {
			server, addr := f.serves(append([]string{"-alpn", mtls.Protocol, "-Verify", "4"}, theirs...)...)
			io.WriteString(server.in, "\x01from openssl\n") // the confirmation and more
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			conn, err := mtls.Dial(ctx, "tcp", addr.String(), &mtls.ClientOptions{Identity: ours, Trust: trust})
			if err != nil {
				all, _ := server.prints("")
				t.Fatalf("%v\n%s", err, all)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			io.WriteString(conn, "from us\n")
			b := make([]byte, len("from openssl\n"))
			if _, err := io.ReadFull(conn, b); err != nil || string(b) != "from openssl\n" {
				t.Fatalf("read %q, %v", b, err)
			}
			if all, found := server.prints("from us\n"); !found {
				t.Errorf("openssl printed %s", all)
			}
		})
	}
}

// TestOpenSSLRefused: whoever comes with an older protocol, another one, no certificate or a bad one gets nowhere, and
// neither does whoever is dialed so.
func TestOpenSSLRefused(t *testing.T) {
	f, ours, trust := couple(t)
	f.make("clients", mould{section: "client", issuer: "root"})
	f.make("self", mould{section: "leaf"})
	alpn := []string{"-alpn", mtls.Protocol}
	with := func(certificate string, more ...string) []string {
		return append(append([]string{"-cert", certificate + ".pem", "-key", certificate + ".key", "-cert_chain", "chain.pem"}, alpn...), more...)
	}
	t.Run("dialing", func(t *testing.T) {
		for name, row := range map[string]struct {
			args  []string
			words string
		}{
			"TLS 1.2":                 {with("theirs", "-tls1_2"), "unsupported versions"},
			"TLS 1.0":                 {with("theirs", "-tls1", "-cipher", "ALL:@SECLEVEL=0"), "unsupported versions"},
			"no certificate":          {alpn, "didn't provide a certificate"},
			"no protocol":             {with("theirs")[:6], `speaks protocol ""`},
			"a browser's protocol":    {append(with("theirs")[:6], "-alpn", "h2,http/1.1"), "unsupported application protocols"},
			"the messenger's":         {append(with("theirs")[:6], "-alpn", mtls.Messenger), "unsupported application protocols"},
			"self-signed":             {with("self"), "self-signed"},
			"old groups":              {with("theirs", "-groups", "P-521"), "no key exchanges supported"},
			"weak signatures allowed": {with("theirs", "-sigalgs", "RSA+SHA1"), ""},
		} {
			t.Run(name, func(t *testing.T) {
				refusals := make(chan error, 1)
				l, err := mtls.Listen(t.Context(), "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
					Identity: ours, Trust: trust, Refused: func(_ net.Addr, err error) { refusals <- err },
				})
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
				client := f.start(append([]string{"s_client", "-connect", l.Addr().String()}, row.args...)...)
				io.WriteString(client.in, canary+"\n")
				client.in.Close()
				if err := <-refusals; err == nil || !strings.Contains(err.Error(), row.words) {
					t.Errorf("the listener says %v, want %q", err, row.words)
				}
				<-client.done
				if all, confirmed := client.prints("\x01"); confirmed {
					t.Errorf("openssl was told that it is welcome\n%s", all)
				}
				l.Close()
				if conn, err := l.AcceptConn(); err == nil {
					t.Errorf("the application has %v", conn.Peer().Names())
				}
			})
		}
	})
	t.Run("listening", func(t *testing.T) {
		for name, row := range map[string]struct {
			args []string
			rule mtls.Rule // "" where there is no peer to judge
		}{
			"TLS 1.2":              {with("theirs", "-Verify", "4", "-tls1_2"), ""},
			"no protocol":          {with("theirs", "-Verify", "4")[:6], mtls.RuleProtocol},
			"another protocol":     {append(with("theirs", "-Verify", "4")[:6], "-alpn", "http/1.1"), ""},
			"a client certificate": {with("clients", "-Verify", "4"), mtls.RulePurpose},
			"self-signed":          {with("self", "-Verify", "4"), mtls.RuleAuthority},
		} {
			t.Run(name, func(t *testing.T) {
				server, addr := f.serves(row.args...)
				io.WriteString(server.in, "\x01from openssl\n")
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				conn, err := mtls.Dial(ctx, "tcp", addr.String(), &mtls.ClientOptions{Identity: ours, Trust: trust})
				if err == nil {
					conn.Close()
				}
				if row.rule != "" {
					wantRule(t, err, row.rule)
				} else if err == nil || ctx.Err() != nil {
					t.Errorf("got %v, want a refusal at once", err)
				}
			})
		}
	})
}
