package tunnel

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"time"

	"snug/mtls"
)

// An advice is what a rule that was not satisfied means, and what helps: on which side, and what to type there. None of
// it is to trust anybody who was refused for a reason: a revoked key is never to be pinned.
type advice struct{ side, problem, try string }

// ofTheirs is about what the far end shows, where RuleKey and RuleName have words of their own.
var ofTheirs = map[mtls.Rule]advice{
	mtls.RuleNone:              {"there", "it shows no certificate", "there: snug listen or snug tunnel, or another program with a certificate for servers"},
	mtls.RuleProtocol:          {"there", "it speaks something else", "there: a program that speaks TLS 1.3; or another port"},
	mtls.RuleWeak:              {"there", "its certificate is too weak", "there: a new key, RSA of 2048 bits, P-256 or Ed25519, of its authority too: snug pki init and issue make such"},
	mtls.RuleKey:               {"here", "its key is another", "--peer with what `snug key show` prints there; else somebody is in between"},
	mtls.RuleAuthority:         {"here", "its certificate is of another authority than ours", "--authority with the certificate of the authority that is used there"},
	mtls.RuleChain:             {"there", "it shows more certificates than are looked at", "there: --certificate with its own and those of the authorities between, and nothing else"},
	mtls.RuleConstraint:        {"there", "its authority was not allowed to certify it", "there: a certificate within the authority's constraints, which snug pki init --permit sets"},
	mtls.RuleExtension:         {"there", "its certificate asks for what we do not know", "there: a certificate without that extension, as snug pki issue makes it"},
	mtls.RuleExpired:           {"there", "its certificate is out of date", "there: snug pki renew; or set the clock that is wrong"},
	mtls.RuleNotYetValid:       {"between", "its certificate is not valid yet", "set the clock that is wrong, here or there"},
	mtls.RulePurpose:           {"there", "its certificate is for something else", "there: a certificate for servers: snug pki issue --server, or without --client"},
	mtls.RuleName:              {"here", "its certificate has another name", "--allow with the right one of its names"},
	mtls.RuleRevoked:           {"there", "its key or certificate is revoked", "there: a new key and a certificate for it: snug pki issue; never take the old one off the list"},
	mtls.RuleUnknownRevocation: {"here", "whether its certificate is revoked cannot be told", "--list with a revocation list that is in date: snug pki renew, where the authority is, signs one"},
}

// ofOurs is about what we show, where the far end refuses us and our own files say why it has to.
var ofOurs = map[mtls.Rule]advice{
	mtls.RuleNone:              {"here", "we show no certificate", "--certificate and --key, or --pki"},
	mtls.RuleProtocol:          {"here", "our certificate is not for this protocol", "snug pki issue makes one that is"},
	mtls.RuleWeak:              {"here", "our certificate is too weak", "a new key, RSA of 2048 bits, P-256 or Ed25519, of its authority too: snug pki init and issue make such"},
	mtls.RuleKey:               {"there", "our key is not one of those expected there", "there: --peer with what `snug key show` prints here"},
	mtls.RuleAuthority:         {"here", "our certificate is of another authority than the one that we trust there", "--certificate of the authority that is trusted there, or there: --authority of ours"},
	mtls.RuleChain:             {"here", "we show more certificates than are looked at", "--certificate with our own and those of the authorities between, and nothing else"},
	mtls.RuleConstraint:        {"here", "our authority was not allowed to certify us", "a certificate within the authority's constraints, which snug pki init --permit sets"},
	mtls.RuleExtension:         {"here", "our certificate asks for what nobody knows", "a certificate without that extension, as snug pki issue makes it"},
	mtls.RuleExpired:           {"here", "our certificate is out of date", "snug pki renew; or set the clock, if it is wrong"},
	mtls.RuleNotYetValid:       {"here", "our certificate is not valid yet", "set the clock that is wrong, here or there"},
	mtls.RulePurpose:           {"here", "our certificate is for something else", "a certificate for clients: snug pki issue --client, or without --server"},
	mtls.RuleName:              {"there", "our certificate has another name than is expected there", "there: --allow with the right one of our names"},
	mtls.RuleRevoked:           {"here", "our key or certificate is revoked", "a new key and a certificate for it: snug pki issue; nobody should let in the old one again"},
	mtls.RuleUnknownRevocation: {"here", "whether our certificate is revoked cannot be told by the list here, and perhaps not there", "there, and here, --list with one that is in date: snug pki renew, where the authority is, signs it"},
}

// ownFault judges what we show as the far end would that has the same authority and lists as we have. nil says that
// nothing is wrong with it by itself; whether a rule there names us only the far end can tell.
func ownFault(r *Route, own *mtls.Identity, now time.Time) *mtls.PeerError {
	files, trust := r.Files, mtls.Pin(own.Fingerprint())
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate()})
	if files.Certificate != "" && files.Authority != "" {
		trust = mtls.Trust{Authority: &mtls.Authority{AcceptAnyName: true}}
		var err error
		if text, err = readBounded(files.Certificate); err != nil {
			return nil
		}
	} else {
		files.Authority, files.List = "", "" // they are about the far end
	}
	chain, err := mtls.ParseCertificates(text)
	if err != nil {
		return nil
	}
	trust.Now = func() time.Time { return now }
	id, trust, err := load(files, trust)
	if err != nil {
		return nil
	}
	config, err := mtls.ServerConfig(id, trust, Protocol)
	if err != nil {
		return nil
	}
	err = config.VerifyConnection(tls.ConnectionState{
		Version: tls.VersionTLS13, HandshakeComplete: true, NegotiatedProtocol: Protocol, PeerCertificates: chain,
	})
	var fault *mtls.PeerError
	errors.As(err, &fault)
	return fault
}
