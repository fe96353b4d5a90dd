// Package stdio reaches an implementation that is another program, in a language without gRPC at hand: each call is a line
// of JSON on its stdin, {"method", "request"}, and the answer one on its stdout, {"response"} or {"error": {"code",
// "message"}}. What lies in them are the messages of package mlsclient in the JSON form of Protocol Buffers.
//
// [Start] gives a [Process], which stands where a gRPC connection would: mlsclient.NewMLSClientClient takes it.
package stdio

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// maxLine bounds an answer: a Welcome to a large group with its tree is far shorter.
const maxLine = 64 << 20

// A Process is a program that answers calls, one at a time. Its methods are safe from any goroutine.
type Process struct {
	command *exec.Cmd
	stdin   io.WriteCloser

	// The mutex is held over a call: the program answers in order.
	mu     sync.Mutex
	stdout *bufio.Scanner
	// broken is why no further call can be made.
	broken error
}

// Start runs a program. Its stderr goes to the given writer.
func Start(stderr io.Writer, name string, args ...string) (*Process, error) {
	p := &Process{command: exec.Command(name, args...)}
	p.command.Stderr = stderr
	var err error
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = bufio.NewScanner(stdout)
	p.stdout.Buffer(nil, maxLine)
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	return p, nil
}

// Close ends the program by closing its stdin, and waits for it.
func (p *Process) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		// It is in an unknown state and may never read the end.
		p.command.Process.Kill()
		p.command.Wait()
		return p.broken
	}
	p.broken = status.Error(codes.Unavailable, "the process is closed")
	return errors.Join(p.stdin.Close(), p.command.Wait())
}

// An envelope is a line.
type envelope struct {
	Method   string          `json:"method,omitempty"`
	Request  json.RawMessage `json:"request,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
	Error    *struct {
		Code    codes.Code `json:"code"`
		Message string     `json:"message"`
	} `json:"error,omitempty"`
}

// Invoke makes a call, for the generated client. When ctx ends first the program is killed: it has no way to hear of it.
func (p *Process) Invoke(ctx context.Context, method string, request, response any, _ ...grpc.CallOption) error {
	in, ok := request.(proto.Message)
	out, fine := response.(proto.Message)
	if !ok || !fine {
		return status.Errorf(codes.Internal, "%s is not of protocol buffers", method)
	}
	encoded, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(in)
	if err != nil {
		return status.Errorf(codes.Internal, "encoding %s: %v", method, err)
	}
	line, err := json.Marshal(envelope{Method: path.Base(method), Request: encoded})
	if err != nil {
		return status.Errorf(codes.Internal, "encoding %s: %v", method, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		return p.broken
	}
	answer, err := p.exchange(ctx, line)
	if err != nil {
		p.broken = status.Errorf(codes.Unavailable, "the process does not answer: %v", err)
		return p.broken
	}
	if answer.Error != nil {
		return status.Error(answer.Error.Code, answer.Error.Message)
	}
	if err := protojson.Unmarshal(answer.Response, out); err != nil {
		return status.Errorf(codes.Internal, "the answer to %s: %v", method, err)
	}
	return nil
}

// exchange writes a line and reads the next.
func (p *Process) exchange(ctx context.Context, line []byte) (*envelope, error) {
	stop := context.AfterFunc(ctx, func() { p.command.Process.Kill() })
	defer stop()
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	if !p.stdout.Scan() {
		return nil, errors.Join(io.ErrUnexpectedEOF, p.stdout.Err(), ctx.Err())
	}
	answer := new(envelope)
	if err := json.Unmarshal(p.stdout.Bytes(), answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// NewStream is for interfaces with streams, of which this has none.
func (p *Process) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "streams")
}
