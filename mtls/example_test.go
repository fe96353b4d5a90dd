package mtls_test

import (
	"context"
	"fmt"
	"io"
	"log"

	"snug/mtls"
)

// Two peers that know each other's fingerprint talk over loopback.
func Example() {
	alice, err := mtls.Generate()
	if err != nil {
		log.Fatal(err)
	}
	bob, err := mtls.Generate()
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	l, err := mtls.Listen(ctx, "tcp", "127.0.0.1:0", &mtls.ListenerOptions{
		Identity: bob,
		Trust:    mtls.Pin(alice.Fingerprint()),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.AcceptConn()
		if err != nil {
			return
		}
		defer conn.Close()
		if conn.Peer().Fingerprint == alice.Fingerprint() {
			io.WriteString(conn, "good evening, alice")
		}
	}()

	conn, err := mtls.Dial(ctx, "tcp", l.Addr().String(), &mtls.ClientOptions{
		Identity: alice,
		Trust:    mtls.Pin(bob.Fingerprint()),
	})
	if err != nil {
		log.Fatal(err) // *mtls.PeerError: not bob; *mtls.RefusedError: bob does not want us
	}
	defer conn.Close()
	greeting, err := io.ReadAll(conn)
	fmt.Println(string(greeting), err)
	// Output: good evening, alice <nil>
}
