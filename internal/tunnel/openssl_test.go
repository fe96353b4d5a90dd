package tunnel_test

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// openssl gives the program, or skips.
func openssl(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err == nil {
		return path
	}
	if os.Getenv("SNUG_REQUIRE") != "" {
		t.Fatal("openssl is required: apt install openssl")
	}
	t.Skip("NOT TESTED: openssl is not there (apt install openssl)")
	return ""
}

// TestOpenSSLClient: s_client with a certificate that a rule names reaches the service; without one, or with another, it
// does not.
func TestOpenSSLClient(t *testing.T) {
	t.Parallel()
	program, ca := openssl(t), newAuthority(t)
	far, near, other := newHome(t), newHome(t), newHome(t)
	ca.certify(t, far, &x509.Certificate{Subject: pkix.Name{CommonName: "far"}, DNSNames: []string{"far"}})
	ca.certify(t, near, &x509.Certificate{Subject: pkix.Name{CommonName: "near"}})
	ca.certify(t, other, &x509.Certificate{Subject: pkix.Name{CommonName: "other"}})
	end := start(t, far.route(t, "main", append(ca.certified(t, far), "listen 127.0.0.1:0", "to "+backend(t, func(conn *net.TCPConn) {
		line, _ := bufio.NewReader(conn).ReadString('\n')
		conn.Write([]byte(strings.ToUpper(line)))
		conn.Close()
	}), "tls accept", "allow cn:near")...))
	for _, row := range []struct {
		name string
		args []string
		in   bool
	}{
		{"named", []string{"-cert", near.path("leaf.crt"), "-key", near.path("leaf.key")}, true},
		{"another", []string{"-cert", other.path("leaf.crt"), "-key", other.path("leaf.key")}, false},
		{"none", nil, false},
		{"TLS 1.2", []string{"-cert", near.path("leaf.crt"), "-key", near.path("leaf.key"), "-tls1_2"}, false},
	} {
		args := append([]string{"s_client", "-connect", end.addr(), "-quiet", "-verify_return_error", "-CAfile", far.path("ca.pem"), "-verify_hostname", "far"}, row.args...)
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Stdin = strings.NewReader("hello there\n")
		var out bytes.Buffer
		cmd.Stdout = &out
		cmd.Run()
		if got := out.String() == "HELLO THERE\n"; got != row.in {
			t.Errorf("%s: got %q, want in %t", row.name, &out, row.in)
		}
	}
}

// TestOpenSSLServer: s_server that a rule names is reached, and knows who comes; one that it does not name is not.
func TestOpenSSLServer(t *testing.T) {
	t.Parallel()
	program, ca := openssl(t), newAuthority(t)
	near, far := newHome(t), newHome(t)
	ca.certify(t, near, &x509.Certificate{Subject: pkix.Name{CommonName: "near"}})
	ca.certify(t, far, &x509.Certificate{DNSNames: []string{"far"}})
	lines := ca.certified(t, near)
	// -rev sends each line back to front.
	cmd := exec.CommandContext(t.Context(), program, "s_server", "-accept", "127.0.0.1:0", "-cert", far.path("leaf.crt"), "-key", far.path("leaf.key"),
		"-CAfile", near.path("ca.pem"), "-Verify", "1", "-verify_return_error", "-tls1_3", "-rev")
	says, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	var address string
	for lines := bufio.NewScanner(says); address == "" && lines.Scan(); {
		if at, found := strings.CutPrefix(lines.Text(), "ACCEPT "); found {
			address = at
		}
	}
	if address == "" {
		t.Fatal("s_server does not say where it listens")
	}
	good := start(t, near.route(t, "main", append(lines, "listen 127.0.0.1:0", "to "+address, "tls connect", "allow dns:far")...))
	conn := dial(t, good.addr())
	conn.Write([]byte("olleh\n"))
	if got, err := bufio.NewReader(conn).ReadString('\n'); err != nil || got != "hello\n" {
		t.Errorf("got %q, %v; want hello", got, err)
	}
	conn.Close()
	bad := start(t, near.route(t, "main", append(lines, "listen 127.0.0.1:0", "to "+address, "tls connect", "allow dns:elsewhere")...))
	refused(t, "another name", bad.addr())
}
