package mtls_test

import (
	"context"
	"fmt"
	"log"

	"snug/mtls"
)

// A service lets in whom its authority has certified under one name, follows its files, and drops who is revoked: new
// ones at once, those that are connected within a second or two.
func ExampleWatch() {
	web, err := mtls.ParseName("spiffe://example.org/web")
	if err != nil {
		log.Fatal(err)
	}
	watcher, err := mtls.Watch(mtls.Files{
		Certificate: "/etc/db/cert.pem", Key: "/etc/db/key.pem",
		Authorities: []string{"/etc/db/ca.pem"}, Lists: []string{"/etc/db/crl.pem"},
		Trust: mtls.Trust{Authority: &mtls.Authority{Names: []mtls.Name{web}}},
	}, func(cut int, err error) {
		log.Printf("files read again: %d connections cut, %v", cut, err)
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	go watcher.Run(ctx)
	l, err := mtls.Listen(ctx, "tcp", ":9000", &mtls.ListenerOptions{Live: watcher.Live()})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	for {
		conn, err := l.AcceptConn()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			fmt.Fprintf(conn, "good evening, %v\n", conn.Peer().Names())
		}()
	}
}

// A dialer that meets somebody for the first time asks a person before a byte is said, and remembers the key then.
func ExampleDecide() {
	ctx := context.Background()
	alice, bob := exampleIdentity(), exampleIdentity()
	l, err := mtls.Listen(ctx, "tcp", "127.0.0.1:0", &mtls.ListenerOptions{Identity: bob, Trust: mtls.Pin(alice.Fingerprint())})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	conn, err := mtls.Dial(ctx, "tcp", l.Addr().String(), &mtls.ClientOptions{
		Identity: alice,
		DecideUnverified: func(ctx context.Context, peer *mtls.Unverified) (mtls.Fingerprint, error) {
			// Here a person compares what both screens show. Accepting is naming the key.
			onTheOtherScreen := bob.Fingerprint()
			return onTheOtherScreen, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	fmt.Println("it is bob:", conn.Peer().Fingerprint == bob.Fingerprint())
	// Output: it is bob: true
}

// What two ends export is equal, and belongs to this connection alone: a password proof that contains it cannot be
// carried to another one.
func ExampleConn_Export() {
	alice, bob := examplePair()
	defer alice.Close()
	defer bob.Close()
	a, err := alice.Export("EXPORTER-example", []byte("transcript"), 32)
	if err != nil {
		log.Fatal(err)
	}
	b, err := bob.Export("EXPORTER-example", []byte("transcript"), 32)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(a), string(a) == string(b))
	// Output: 32 true
}

// Messages go over a stream as they are, whatever the network makes of it.
func ExampleNewMessages() {
	alice, bob := examplePair()
	defer alice.Close()
	defer bob.Close()
	if err := mtls.NewMessages(alice, 1024).WriteMessage([]byte("one message")); err != nil {
		log.Fatal(err)
	}
	message, err := mtls.NewMessages(bob, 1024).ReadMessage()
	fmt.Printf("%s %v\n", message, err)
	// Output: one message <nil>
}

func exampleIdentity() *mtls.Identity {
	id, err := mtls.Generate()
	if err != nil {
		log.Fatal(err)
	}
	return id
}

func examplePair() (dialed, accepted *mtls.Conn) {
	ctx := context.Background()
	alice, bob := exampleIdentity(), exampleIdentity()
	l, err := mtls.Listen(ctx, "tcp", "127.0.0.1:0", &mtls.ListenerOptions{Identity: bob, Trust: mtls.Pin(alice.Fingerprint())})
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	if dialed, err = mtls.Dial(ctx, "tcp", l.Addr().String(), &mtls.ClientOptions{Identity: alice, Trust: mtls.Pin(bob.Fingerprint())}); err != nil {
		log.Fatal(err)
	}
	if accepted, err = l.AcceptConn(); err != nil {
		log.Fatal(err)
	}
	return dialed, accepted
}
