package mtls

import (
	"crypto/tls"
	"errors"
)

// ClientConfig gives the dialing side for who brings connections of their own: it
// shows id, accepts only whom trust accepts, and speaks only protocol (ALPN),
// which the server must confirm. Errors as those of Dial. The config is the
// caller's, but a change to it can undo its checks.
func ClientConfig(id *Identity, trust Trust, protocol string) (*tls.Config, error) {
	if id == nil {
		return nil, errNoIdentity
	}
	if err := trust.check(); err != nil {
		return nil, err
	}
	config, err := baseConfig(id, protocol)
	if err != nil {
		return nil, err
	}
	trust = trust.clone()
	// A pin is the hash of a key that we have not seen yet, so no pool of roots
	// can be made of it beforehand, and crypto/tls has no other way to check a
	// peer's certificate by something else than a chain: its own check must be
	// off for ours to be asked. This is the only such place in the repository (a
	// test looks), ours comes with it in the next line, and it fails closed: it is
	// called on every handshake, and nothing is accepted that is not pinned. The
	// peer's possession of the key is proven by crypto/tls all the same.
	config.InsecureSkipVerify = true
	config.VerifyConnection = func(state tls.ConnectionState) error { return trust.verify(state, protocol) }
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		// Always ours, also where the server names authorities that it likes.
		return &id.certificate, nil
	}
	return config, nil
}

// ServerConfig gives the listening side for who brings connections of their own:
// it shows id, demands a certificate, accepts only whom trust accepts, and speaks
// only protocol (ALPN). The dialer may believe itself connected until it reads: see
// Dial. Errors as those of Dial.
func ServerConfig(id *Identity, trust Trust, protocol string) (*tls.Config, error) {
	if id == nil {
		return nil, errNoIdentity
	}
	if err := trust.check(); err != nil {
		return nil, err
	}
	config, err := baseConfig(id, protocol)
	if err != nil {
		return nil, err
	}
	trust = trust.clone()
	config.ClientAuth = tls.RequireAnyClientCert
	config.VerifyConnection = func(state tls.ConnectionState) error { return trust.verify(state, protocol) }
	return config, nil
}

// baseConfig is what every connection of ours has in common.
func baseConfig(id *Identity, protocols ...string) (*tls.Config, error) {
	for _, p := range protocols {
		// Without a protocol one server could be made to answer for another on the
		// same key (ALPACA).
		if p == "" {
			return nil, errors.New("mtls: no protocol")
		}
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS13,
		MaxVersion:   tls.VersionTLS13,
		Certificates: []tls.Certificate{id.certificate},
		NextProtos:   protocols,
		// crypto/tls prefers the hybrid; P-256 is for foreign peers that have no
		// more.
		CurvePreferences: []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256},
		// A ticket would carry a judgement into the next connection.
		SessionTicketsDisabled: true,
		Renegotiation:          tls.RenegotiateNever,
	}, nil
}
