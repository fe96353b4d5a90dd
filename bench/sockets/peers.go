package main

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// A way is the addresses along which bytes go: near is where clients connect, far where the accepting end listens, and
// through where the connecting end finds it, which is far unless somebody looks on; back is the backend.
type way struct{ near, far, through, back string }

// The command lines of all programs. Each end shows a certificate and demands one of the authority's; for the rest they
// are as their makers ship them, but for limits of connections that the work would run into.

func (m *machine) config(name, text string) (string, error) {
	path := m.path(name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func snugLines(flags ...string) func(*machine, way) ([][]string, error) {
	return func(m *machine, w way) ([][]string, error) {
		end := func(name, listen, to, side, rule string) []string {
			line := []string{m.snug, "tunnel", "--home", m.path("home-" + name), "--listen", listen, "--to", to, "--tls", side,
				"--allow", rule, "--key", m.path(name + ".key"), "--certificate", m.path(name + ".crt"), "--authority", m.path("ca.pem")}
			return append(line, flags...)
		}
		return [][]string{end("server", w.far, w.back, "accept", "cn:client"), end("client", w.near, w.through, "connect", "cn:server")}, nil
	}
}

func nginxLines(m *machine, w way) ([][]string, error) {
	module := ""
	if _, err := os.Stat("/usr/lib/nginx/modules/ngx_stream_module.so"); err == nil {
		module = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n"
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;\n" // for the keys
	}
	frame := module + user + "daemon off; worker_processes auto; pid %s; error_log stderr crit;\nevents { worker_connections 8192; }\nstream { server {\n%s} }\n"
	server, err := m.config("nginx-server.conf", fmt.Sprintf(frame, m.path("nginx-server.pid"), fmt.Sprintf(
		"listen %s ssl; ssl_certificate server.pem; ssl_certificate_key server.key; ssl_client_certificate ca.pem; ssl_verify_client on; ssl_protocols TLSv1.3; ssl_session_tickets off; proxy_pass %s;\n", w.far, w.back)))
	if err != nil {
		return nil, err
	}
	client, err := m.config("nginx-client.conf", fmt.Sprintf(frame, m.path("nginx-client.pid"), fmt.Sprintf(
		"listen %s; proxy_pass %s; proxy_ssl on; proxy_ssl_certificate client.pem; proxy_ssl_certificate_key client.key; proxy_ssl_trusted_certificate ca.pem; proxy_ssl_verify on; proxy_ssl_name server; proxy_ssl_protocols TLSv1.3; proxy_ssl_session_reuse off;\n", w.near, w.through)))
	program := which("nginx")
	return [][]string{{program, "-p", m.directory, "-c", server}, {program, "-p", m.directory, "-c", client}}, err
}

func haproxyLines(m *machine, w way) ([][]string, error) {
	frame := "global\n maxconn 8192\n nbthread 2\n no-memory-trimming\ndefaults\n mode tcp\n timeout connect 10s\n timeout client 1h\n timeout server 1h\nlisten end\n %s\n %s\n"
	server, err := m.config("haproxy-server.cfg", fmt.Sprintf(frame,
		fmt.Sprintf("bind %s ssl crt %s ca-file %s verify required ssl-min-ver TLSv1.3 no-tls-tickets", w.far, m.path("server.pem"), m.path("ca.pem")),
		"server back "+w.back))
	if err != nil {
		return nil, err
	}
	client, err := m.config("haproxy-client.cfg", fmt.Sprintf(frame, "bind "+w.near,
		fmt.Sprintf("server far %s ssl crt %s ca-file %s verify required verifyhost server ssl-min-ver TLSv1.3 no-ssl-reuse", w.through, m.path("client.pem"), m.path("ca.pem"))))
	program := which("haproxy")
	return [][]string{{program, "-db", "-f", server}, {program, "-db", "-f", client}}, err
}

func stunnelLines(m *machine, w way) ([][]string, error) {
	frame := "foreground = yes\npid =\nsyslog = no\ndebug = err\nsslVersion = TLSv1.3\n[end]\n%saccept = %s\nconnect = %s\ncert = %s\nCAfile = %s\nverifyChain = yes\nsessionResume = no\n"
	server, err := m.config("stunnel-server.conf", fmt.Sprintf(frame, "requireCert = yes\n", w.far, w.back, m.path("server.pem"), m.path("ca.pem")))
	if err != nil {
		return nil, err
	}
	client, err := m.config("stunnel-client.conf", fmt.Sprintf(frame, "client = yes\ncheckHost = server\n", w.near, w.through, m.path("client.pem"), m.path("ca.pem")))
	program := which("stunnel")
	return [][]string{{program, server}, {program, client}}, err
}

func ghostunnelLines(m *machine, w way) ([][]string, error) {
	program := which("ghostunnel")
	return [][]string{
		{program, "server", "--listen", w.far, "--target", w.back, "--cert", m.path("server.crt"), "--key", m.path("server.key"), "--cacert", m.path("ca.pem"), "--allow-cn", "client", "--quiet", "conns"},
		{program, "client", "--listen", w.near, "--target", w.through, "--cert", m.path("client.crt"), "--key", m.path("client.key"), "--cacert", m.path("ca.pem"), "--override-server-name", "server", "--quiet", "conns"},
	}, nil
}

func spipedLines(m *machine, w way) ([][]string, error) {
	program, key := which("spiped"), m.path("shared.key")
	bracket := func(address string) string {
		host, port, _ := net.SplitHostPort(address)
		return "[" + host + "]:" + port
	}
	return [][]string{
		{program, "-F", "-d", "-n", "0", "-s", bracket(w.far), "-t", bracket(w.back), "-k", key},
		{program, "-F", "-e", "-n", "0", "-s", bracket(w.near), "-t", bracket(w.through), "-k", key},
	}, nil
}

func socatLines(m *machine, w way) ([][]string, error) {
	program := which("socat")
	host := func(address string) (string, string) {
		h, p, _ := strings.Cut(address, ":")
		return h, p
	}
	farHost, farPort := host(w.far)
	nearHost, nearPort := host(w.near)
	return [][]string{
		{program, "-b", "131072", fmt.Sprintf("OPENSSL-LISTEN:%s,bind=%s,fork,reuseaddr,backlog=1024,cert=%s,cafile=%s,verify=1", farPort, farHost, m.path("server.pem"), m.path("ca.pem")), "TCP:" + w.back},
		{program, "-b", "131072", fmt.Sprintf("TCP-LISTEN:%s,bind=%s,fork,reuseaddr,backlog=1024", nearPort, nearHost), fmt.Sprintf("OPENSSL:%s,cert=%s,cafile=%s,verify=1,commonname=server", w.through, m.path("client.pem"), m.path("ca.pem"))},
	}, nil
}
