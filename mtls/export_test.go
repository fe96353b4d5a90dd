package mtls

import "time"

// None of the tests is about how long a handshake may take, and none may end by it.
func init() { handshakeTimeout = 10 * time.Minute }
