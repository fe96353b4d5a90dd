//go:build !js

package transport

import (
	"errors"

	"snug/client"
	"snug/mtls"
)

// Address is where a server is and what its key is: HOST:PORT#PIN.
type Address struct {
	HostPort string
	Pin      mtls.Fingerprint
}

// ParseAddress reads the form in which addresses are handed over. One without a pin is refused: a client that trusts
// whoever answers can be led anywhere.
func ParseAddress(s string) (Address, error) {
	hostPort, pin, err := mtls.ParseAddress(s)
	switch {
	case errors.Is(err, mtls.ErrUnpinned):
		return Address{}, &client.Error{Code: client.Refused, Message: "the address has no pin",
			Hint: "write HOST:PORT#PIN, as snug serve prints it"}
	case err != nil:
		return Address{}, &client.Error{Code: client.Usage, Message: "the address is malformed: " + err.Error(),
			Hint: "write HOST:PORT#PIN, as snug serve prints it"}
	}
	return Address{hostPort, pin}, nil
}

// String gives HOST:PORT#PIN.
func (a Address) String() string { return a.HostPort + "#" + a.Pin.String() }
