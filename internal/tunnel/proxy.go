package tunnel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// The PROXY protocol, version 2, as HAProxy's proxy-protocol.txt has it.
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyPrefix    = len(proxySignature) + 4

	proxyLocal   = 0x20 // version 2, of the sender's own connection
	proxyForward = 0x21 // version 2, for somebody else
	proxyUnspec  = 0x00
	proxyTCP4    = 0x11
	proxyTCP6    = 0x21

	tlvALPN        = 0x01
	tlvSSL         = 0x20
	tlvSSLVersion  = 0x21
	tlvSSLCN       = 0x22
	tlvFingerprint = 0xe0 // of the peer's key, as `snug key show` prints it
	tlvRule        = 0xe1 // the rule that let the peer in

	// sslClient are the bits of a client that used TLS, and showed a certificate on this connection and in its session.
	sslClient = 0x01 | 0x02 | 0x04

	// maxProxy bounds what follows the prefix of a header that we read: addresses take 216 bytes at most, the rest are
	// TLVs that we do not look at.
	maxProxy = 4096
)

// errProxy refuses a connection whose header is not one.
var errProxy = errors.New("tunnel: no header of the PROXY protocol, version 2")

// A proxyHeader says for whom a connection is.
type proxyHeader struct {
	// source and destination are invalid where the connection is the sender's own, or of no kind that we know.
	source, destination netip.AddrPort
	tlvs                []tlv
}

// A tlv is one more thing that a header says.
type tlv struct {
	kind  byte
	value []byte
}

// append appends the header.
func (h *proxyHeader) append(b []byte) []byte {
	start := len(b)
	b = append(b, proxySignature...)
	source, destination := h.source, h.destination
	v4 := source.Addr().Unmap().Is4() && destination.Addr().Unmap().Is4()
	switch {
	case !source.IsValid() || !destination.IsValid():
		b = append(b, proxyForward, proxyUnspec, 0, 0)
	case v4:
		b = append(b, proxyForward, proxyTCP4, 0, 0)
		from, to := source.Addr().Unmap().As4(), destination.Addr().Unmap().As4()
		b = append(append(b, from[:]...), to[:]...)
	default:
		b = append(b, proxyForward, proxyTCP6, 0, 0)
		from, to := source.Addr().As16(), destination.Addr().As16()
		b = append(append(b, from[:]...), to[:]...)
	}
	if source.IsValid() && destination.IsValid() {
		b = binary.BigEndian.AppendUint16(b, source.Port())
		b = binary.BigEndian.AppendUint16(b, destination.Port())
	}
	for _, t := range h.tlvs {
		b = t.append(b)
	}
	binary.BigEndian.PutUint16(b[start+proxyPrefix-2:], uint16(len(b)-start-proxyPrefix))
	return b
}

func (t tlv) append(b []byte) []byte {
	b = append(b, t.kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(t.value)))
	return append(b, t.value...)
}

// peerTLVs say who the peer is. Its common name is said only where an authority has certified it.
func peerTLVs(l *link) []tlv {
	ssl := []byte{sslClient, 0, 0, 0, 0} // verified: 0
	ssl = tlv{tlvSSLVersion, []byte("TLSv1.3")}.append(ssl)
	for _, name := range l.who.peer.Names() {
		if name.Kind() == "cn" {
			ssl = tlv{tlvSSLCN, []byte(name.Value())}.append(ssl)
		}
	}
	tlvs := []tlv{{tlvSSL, ssl}, {tlvFingerprint, []byte(l.who.peer.Fingerprint.String())}, {tlvRule, []byte(l.who.rule)}}
	if protocol := l.state.NegotiatedProtocol; protocol != "" {
		tlvs = append([]tlv{{tlvALPN, []byte(protocol)}}, tlvs...)
	}
	return tlvs
}

// readProxy reads a header and not a byte more.
func readProxy(r io.Reader) (*proxyHeader, error) {
	var prefix [proxyPrefix]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, fmt.Errorf("%w: %v", errProxy, err)
	}
	size := int(binary.BigEndian.Uint16(prefix[proxyPrefix-2:]))
	if !bytes.HasPrefix(prefix[:], []byte(proxySignature)) || size > maxProxy {
		return nil, errProxy
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%w: %v", errProxy, err)
	}
	return parseProxy(prefix[len(proxySignature)], prefix[len(proxySignature)+1], b)
}

// parseProxy reads what follows the prefix.
func parseProxy(command, family byte, b []byte) (*proxyHeader, error) {
	h := &proxyHeader{}
	size := map[byte]int{proxyTCP4: 12, proxyTCP6: 36}[family]
	switch {
	case command == proxyLocal:
		return h, nil // whatever follows is to be passed over
	case command != proxyForward:
		return nil, fmt.Errorf("%w: command %#x", errProxy, command)
	case family == proxyUnspec:
		return h, nil
	case size == 0:
		return nil, fmt.Errorf("%w: family %#x", errProxy, family)
	case len(b) < size:
		return nil, fmt.Errorf("%w: %d bytes of addresses", errProxy, len(b))
	}
	half := (size - 4) / 2
	from, _ := netip.AddrFromSlice(b[:half])
	to, _ := netip.AddrFromSlice(b[half : 2*half])
	// A balancer with one address of each family writes IPv4 as IPv6, and rules say IPv4.
	h.source = netip.AddrPortFrom(from.Unmap(), binary.BigEndian.Uint16(b[2*half:]))
	h.destination = netip.AddrPortFrom(to.Unmap(), binary.BigEndian.Uint16(b[2*half+2:]))
	for b = b[size:]; len(b) > 0; {
		if len(b) < 3 {
			return nil, fmt.Errorf("%w: a TLV cut short", errProxy)
		}
		n := int(binary.BigEndian.Uint16(b[1:]))
		if len(b) < 3+n {
			return nil, fmt.Errorf("%w: a TLV cut short", errProxy)
		}
		h.tlvs = append(h.tlvs, tlv{b[0], b[3 : 3+n]})
		b = b[3+n:]
	}
	return h, nil
}

// addrPort gives the address of a TCP socket; of others none.
func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		at := tcp.AddrPort()
		return netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
	}
	return netip.AddrPort{}
}
