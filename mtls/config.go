package mtls

import (
	"crypto/tls"
	"slices"
)

// ClientConfig gives the dialing side for who brings connections of their own: it
// shows id, accepts only whom trust accepts, and speaks only these protocols
// (ALPN), the preferred first; the server must confirm one. NoProtocol after them
// also admits who chooses none. Errors as those of Dial. The config is the
// caller's, but a change to it can undo its checks; no Live knows of its
// connections.
func ClientConfig(id *Identity, trust Trust, protocols ...string) (*tls.Config, error) {
	ours, plain := split(protocols)
	t, err := (&ClientOptions{Identity: id, Trust: trust, Protocols: ours, PlainProtocols: plain}).terms()
	if err != nil {
		return nil, err
	}
	return t.config(), nil
}

// ServerConfig gives the listening side for who brings connections of their own:
// it shows id, demands a certificate, accepts only whom trust accepts, and speaks
// only these protocols, as in ClientConfig. The dialer may believe itself connected
// until it reads: see Dial. Errors as those of Dial.
func ServerConfig(id *Identity, trust Trust, protocols ...string) (*tls.Config, error) {
	ours, plain := split(protocols)
	t, err := (&ListenerOptions{Identity: id, Trust: trust, Protocols: ours, PlainProtocols: plain}).terms()
	if err != nil {
		return nil, err
	}
	return t.config(), nil
}

// split takes NoProtocol out of protocols, unless it stands where the first should.
func split(protocols []string) (ours, plain []string) {
	if len(protocols) == 0 || protocols[0] == NoProtocol {
		return []string{NoProtocol}, nil // which is refused
	}
	for _, p := range protocols {
		if p == NoProtocol {
			plain = []string{NoProtocol}
		} else {
			ours = append(ours, p)
		}
	}
	return ours, plain
}

// config gives the TLS of these terms.
func (t *Terms) config() *tls.Config {
	var offered []string
	for _, p := range slices.Concat(t.protocols, t.plain) {
		if p != NoProtocol {
			offered = append(offered, p)
		}
	}
	config := baseConfig(offered...)
	config.VerifyConnection = t.verify
	if !t.dialing {
		config.ClientAuth = tls.RequireAnyClientCert
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &t.live.current.Load().id.certificate, nil
		}
		return config
	}
	// A pin is the hash of a key that we have not seen yet, so no pool of roots
	// can be made of it beforehand, and crypto/tls has no other way to check a
	// peer's certificate by something else than a chain: its own check must be
	// off for ours to be asked. This is the only such place in the repository (a
	// test looks), ours came with it above, and it fails closed: it is called on
	// every handshake, and nothing is accepted that is not trusted. The peer's
	// possession of the key is proven by crypto/tls all the same.
	config.InsecureSkipVerify = true
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		// Always ours, also where the server names authorities that it likes.
		return &t.live.current.Load().id.certificate, nil
	}
	return config
}

// baseConfig is what every connection of ours has in common. Its caller adds the
// certificate.
func baseConfig(protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		MaxVersion: tls.VersionTLS13,
		NextProtos: protocols,
		// crypto/tls prefers the hybrid; P-256 is for foreign peers that have no
		// more.
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256},
		// A ticket would carry a judgement into the next connection.
		SessionTicketsDisabled: true,
		Renegotiation:          tls.RenegotiateNever,
	}
}
