// Package server answers the working group's test interface (package mlsclient) with package mls, so that anybody's runner
// can play this implementation against itself and against others.
//
// Make a [Server] with [New] and register it with a gRPC server; [Server.Listen] does both. What it holds is in memory,
// bounded, and gone with it. It is for tests: every basic credential is taken at its word, everybody may do what RFC 9420
// allows, private keys are handed out where the interface has a field for them, and a few past epochs are kept so that
// messages can be opened out of order. None of this is for a messenger.
package server

import (
	"context"
	"net"
	"time"

	"google.golang.org/grpc"

	"snug/mls"
	pb "snug/mls/interop/mlsclient"
)

// Options are those of a Server. The zero value is good.
type Options struct {
	// MaxEntries bounds how many states, transactions, signers and reinits are held at once; 16,384 when zero. A call that
	// would add one more fails with ResourceExhausted. A runner need not free what it has done with, so that this is also how
	// long a server lasts.
	MaxEntries int
	// Reload saves each state after every call that changes it, by its records, and loads it anew: what is played then proves
	// saved state too.
	Reload bool
	// Now is the clock for the lifetimes of key packages; time.Now when nil.
	Now func() time.Time
}

// A Server implements mlsclient.MLSClientServer. Its methods are safe from any goroutine; calls on one state wait for each
// other.
type Server struct {
	pb.UnimplementedMLSClientServer
	opts    Options
	entries table
}

// New returns a Server that holds nothing yet.
func New(opts Options) *Server {
	if opts.MaxEntries == 0 {
		opts.MaxEntries = 1 << 14
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Server{opts: opts, entries: table{limit: opts.MaxEntries, held: make(map[uint32]any)}}
}

// Listen serves on a listener until ctx ends, and then lets calls finish. It closes the listener.
func (s *Server) Listen(ctx context.Context, listener net.Listener) error {
	// A commit in a large group carries a Welcome with the tree: more than the 4 MiB that gRPC takes by default.
	const maxMessage = 64 << 20
	g := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	pb.RegisterMLSClientServer(g, s)
	stop := context.AfterFunc(ctx, g.GracefulStop)
	defer stop()
	return g.Serve(listener)
}

// Name is how results call this implementation.
func (s *Server) Name(context.Context, *pb.NameRequest) (*pb.NameResponse, error) {
	return &pb.NameResponse{Name: "snug"}, nil
}

// SupportedCiphersuites lists the suites of RFC 9420 and, under their private-use numbers, the post-quantum ones.
func (s *Server) SupportedCiphersuites(context.Context, *pb.SupportedCiphersuitesRequest) (*pb.SupportedCiphersuitesResponse, error) {
	response := new(pb.SupportedCiphersuitesResponse)
	for id := range 1 << 16 {
		if mls.CipherSuite(id).Supported() {
			response.Ciphersuites = append(response.Ciphersuites, uint32(id))
		}
	}
	return response, nil
}

// Free forgets a state; what else the number may name is forgotten as well.
func (s *Server) Free(_ context.Context, request *pb.FreeRequest) (*pb.FreeResponse, error) {
	if !s.entries.remove(request.StateId) {
		return nil, errNotHeld
	}
	return &pb.FreeResponse{}, nil
}
