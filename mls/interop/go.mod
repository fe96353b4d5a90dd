module snug/mls/interop

go 1.26.0

// the working group's runner and its clients speak gRPC, and nothing else would do: HTTP/2, status codes, the messages'
// standard runtime. By the gRPC authors and the Go team, with golang.org/x under them. In a module of its own, so that
// neither mls nor the messenger has it.
require (
	google.golang.org/grpc v1.85.0
	google.golang.org/protobuf v1.36.12
)

require snug v0.0.0-00010101000000-000000000000

require (
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/net v0.60.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20260817212433-ac3dfec99bb1 // indirect
)

replace snug => ../..
