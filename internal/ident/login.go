package ident

// Login is what a device signs to prove its key where TLS does not: in browsers
// and behind a proxy.
type Login struct {
	Server  [32]byte // SHA-256 of the server's public key in TLS, its fingerprint
	Nonce   [32]byte // random, made by the server for this connection, used once
	Account AccountID
	Device  DeviceID
}

// SignLogin gives a signature of 64 bytes.
func SignLogin(key DeviceKey, l Login) []byte { return key.Sign(labelLogin, l.transcript()) }

// VerifyLogin checks a signature with the device's key from the account's chain.
// The caller compares Server and Nonce with its own: they come from its memory,
// never from the client. The error is ErrSignature.
func VerifyLogin(key PublicKey, l Login, signature []byte) error {
	return key.Verify(labelLogin, l.transcript(), signature)
}

func (l Login) transcript() []byte {
	b := make([]byte, 0, 96)
	b = append(b, l.Server[:]...)
	b = append(b, l.Nonce[:]...)
	b = append(b, l.Account[:]...)
	return append(b, l.Device[:]...)
}
