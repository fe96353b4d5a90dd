package mtls

import (
	"crypto/tls"
	"slices"
)

// The protocols (ALPN) of a messenger's port.
const (
	// Messenger is for native clients, who show a key.
	Messenger = "snug/1"
	// Web is for browsers, who show none.
	Web = "http/1.1"
)

// ServerOptions are for ServerTLS; all of them may be nil.
type ServerOptions struct {
	// Judge may refuse a native client during its handshake: a revoked key, for
	// instance. The peer has not proven yet that the key is its own, so Judge can
	// refuse, but what it does not refuse is not authenticated. Called from many
	// goroutines.
	Judge func(Peer) error

	// WebCertificate gives the certificate for browsers, such as one of a public
	// authority for the name in the hello. Without it browsers see the identity's.
	WebCertificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// ServerTLS gives the TLS of a messenger's port, on which native clients and
// browsers come:
//
//   - who offers "snug/1" must show a certificate, of whatever key; that it holds
//     the key is proven when the handshake is complete, and whether the key is
//     anybody's is for the application to decide, by PeerKey;
//   - who offers "http/1.1" or no protocol is not asked for a certificate;
//   - who offers only other protocols is refused.
//
// The application reads ConnectionState().NegotiatedProtocol to know which it has.
// An http.Server closes connections that negotiated a protocol it does not know: it
// gets only the others, or Messenger in its TLSNextProto.
func ServerTLS(id *Identity, opts *ServerOptions) (*tls.Config, error) {
	if id == nil {
		return nil, errNoIdentity
	}
	if opts == nil {
		opts = &ServerOptions{}
	}
	native := nativeConfig(id, opts)
	web := baseConfig(Web)
	web.Certificates = []tls.Certificate{id.certificate}
	if opts.WebCertificate != nil {
		web.Certificates = nil
		web.GetCertificate = opts.WebCertificate
	}
	port := native.Clone()
	port.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered := hello.SupportedProtos
		if !slices.Contains(offered, Messenger) && (len(offered) == 0 || slices.Contains(offered, Web)) {
			return web, nil
		}
		// crypto/tls refuses who offers neither: the two have no protocol in common.
		return native, nil
	}
	return port, nil
}

func nativeConfig(id *Identity, opts *ServerOptions) *tls.Config {
	config := baseConfig(Messenger)
	config.Certificates = []tls.Certificate{id.certificate}
	config.ClientAuth = tls.RequireAnyClientCert
	config.VerifyConnection = func(state tls.ConnectionState) error {
		cert, err := peerCertificate(state, Messenger)
		if err != nil {
			return err
		}
		if opts.Judge != nil {
			return opts.Judge(newPeer(cert))
		}
		return nil
	}
	return config
}

// ClientTLS gives the TLS of a messenger's native client: it shows id and accepts
// the server with this pin and no other. protocol is Messenger. The error is
// ErrUnpinned when pin is zero.
func ClientTLS(id *Identity, pin Fingerprint, protocol string) (*tls.Config, error) {
	return ClientConfig(id, Pin(pin), protocol)
}
