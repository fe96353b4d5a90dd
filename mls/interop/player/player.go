// Package player plays scenarios of Messaging Layer Security between any implementations that speak the interface of the
// working group's test runner (package mlsclient).
//
// [Connect] or [NewClient] give the implementations, [Scenarios] lists what can be played, and [Play] plays one of them in
// a [Setting]. After every commit all members must agree on the epoch authenticator and on an exported secret, and one of
// them says something that all others read. What must be refused is tried, too.
//
// The player knows nothing of package mls: what it demands, it demands of everybody.
package player

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "snug/mls/interop/mlsclient"
)

// A Client is an implementation.
type Client struct {
	// Name is what it calls itself.
	Name   string
	suites []uint32
	rpc    pb.MLSClientClient
	conn   *grpc.ClientConn
}

// Connect reaches an implementation at an address, without TLS.
func Connect(ctx context.Context, address string) (*Client, error) {
	// As in package server: commits in large groups are long.
	const maxMessage = 64 << 20
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	c, err := NewClient(ctx, pb.NewMLSClientClient(conn))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting to %s: %w", address, err), conn.Close())
	}
	c.conn = conn
	return c, nil
}

// NewClient asks an implementation for its name and its cipher suites.
func NewClient(ctx context.Context, rpc pb.MLSClientClient) (*Client, error) {
	name, err := rpc.Name(ctx, &pb.NameRequest{})
	if err != nil {
		return nil, fmt.Errorf("asking for the name: %w", err)
	}
	suites, err := rpc.SupportedCiphersuites(ctx, &pb.SupportedCiphersuitesRequest{})
	if err != nil {
		return nil, fmt.Errorf("asking for the cipher suites: %w", err)
	}
	return &Client{Name: name.GetName(), suites: suites.GetCiphersuites(), rpc: rpc}, nil
}

// Close ends the connection that Connect made.
func (c *Client) Close() error {
	if c.conn == nil {
		return nil
	}
	return c.conn.Close()
}

// Suites returns the cipher suites that all of the clients have, in ascending order.
func Suites(clients ...*Client) []uint32 {
	var common []uint32
	for _, suite := range clients[0].suites {
		if !slices.ContainsFunc(clients, func(c *Client) bool { return !slices.Contains(c.suites, suite) }) {
			common = append(common, suite)
		}
	}
	slices.Sort(common)
	return slices.Compact(common)
}

// A Setting is how a scenario is played.
type Setting struct {
	Suite uint32
	// Encrypt sends proposals and commits as PrivateMessage rather than PublicMessage.
	Encrypt bool
	// Cast are the implementations; each actor that comes on is the next one's, and after the last the first one's again.
	Cast []*Client
	// Seed decides what is left to chance, but for the implementations' own keys.
	Seed uint64
	// Lenient takes an empty answer of StateAuth or Export for none: there are clients that have the calls by name only.
	Lenient bool
}

// Settings returns every setting of these clients: each suite that they share, both ways of sending handshakes, and each client in
// every part by turns.
func Settings(clients ...*Client) []Setting {
	var all []Setting
	for _, suite := range Suites(clients...) {
		for _, encrypt := range []bool{false, true} {
			for first := range clients {
				cast := append(slices.Clone(clients[first:]), clients[:first]...)
				all = append(all, Setting{Suite: suite, Encrypt: encrypt, Cast: cast})
			}
		}
	}
	return all
}

func (s Setting) String() string {
	names := make([]string, len(s.Cast))
	for i, c := range s.Cast {
		names[i] = c.Name
	}
	wire := "public"
	if s.Encrypt {
		wire = "private"
	}
	return fmt.Sprintf("suite %d, %s, %v, seed %d", s.Suite, wire, names, s.Seed)
}

// A Scenario is a story with a name.
type Scenario struct {
	Name string
	tell func(*stage)
}

// Play plays a scenario to its end or to its first error, and then frees what it made.
func Play(ctx context.Context, scenario Scenario, setting Setting) error {
	s := &stage{
		ctx: ctx, setting: setting, chance: rand.New(rand.NewPCG(setting.Seed, 0)), actors: make(map[string]*actor),
		secrets: make(map[string][]byte),
	}
	scenario.tell(s)
	s.free()
	if s.err != nil {
		return fmt.Errorf("%s (%v), step %d: %w", scenario.Name, setting, s.steps, s.err)
	}
	return nil
}

// Unimplemented tells whether a scenario ended because a client does not have a call.
func Unimplemented(err error) bool { return status.Code(err) == codes.Unimplemented }
