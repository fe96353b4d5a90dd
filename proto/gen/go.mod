module snug/proto/gen

go 1.26

require (
	github.com/aperturerobotics/protobuf-go-lite v0.14.0
	github.com/bufbuild/protocompile v0.14.1
	google.golang.org/protobuf v1.36.11
)

require (
	golang.org/x/sync v0.8.0 // indirect
	google.golang.org/grpc/cmd/protoc-gen-go-grpc v1.6.2 // indirect
)

// the services of mls/interop; by the gRPC authors, a plugin of protoc that is no library. By hand we would write the glue
// of 34 calls.
tool google.golang.org/grpc/cmd/protoc-gen-go-grpc
