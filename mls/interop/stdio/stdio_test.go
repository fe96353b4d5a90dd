package stdio_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "snug/mls/interop/mlsclient"
	"snug/mls/interop/stdio"
)

// TestMain makes of this very binary the program that is talked to.
func TestMain(m *testing.M) {
	if mode := os.Getenv("STDIO_TEST_ANSWERS"); mode != "" {
		answer(mode)
		return
	}
	os.Exit(m.Run())
}

// answer answers each call as the mode says.
func answer(mode string) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch mode {
		case "well":
			if !strings.Contains(in.Text(), `"method":"Protect"`) || !strings.Contains(in.Text(), `"plaintext":"aGVsbG8="`) {
				fmt.Printf(`{"error": {"code": 3, "message": %q}}`+"\n", in.Text())
				continue
			}
			fmt.Println(`{"response": {"ciphertext": "c2VhbGVk"}}`)
		case "refusing":
			fmt.Println(`{"error": {"code": 5, "message": "no such state"}}`)
		case "of another interface":
			fmt.Println(`{"response": {"state": 1}}`)
		case "nonsense":
			fmt.Println("hello")
		case "silent":
			io.Copy(io.Discard, os.Stdin)
		case "dead":
			return
		}
	}
}

// start runs this binary in a mode.
func start(t *testing.T, mode string) (*stdio.Process, pb.MLSClientClient) {
	t.Helper()
	t.Setenv("STDIO_TEST_ANSWERS", mode)
	p, err := stdio.Start(os.Stderr, os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	return p, pb.NewMLSClientClient(p)
}

// TestAnswers has a program that answers well, and programs that do not.
func TestAnswers(t *testing.T) {
	for _, row := range []struct {
		mode string
		want codes.Code
		// after is what the next call gives.
		after codes.Code
	}{
		{"well", codes.OK, codes.OK},
		{"refusing", codes.NotFound, codes.NotFound},
		{"of another interface", codes.Internal, codes.Internal},
		{"nonsense", codes.Unavailable, codes.Unavailable},
		{"dead", codes.Unavailable, codes.Unavailable},
	} {
		t.Run(row.mode, func(t *testing.T) {
			p, client := start(t, row.mode)
			for _, want := range []codes.Code{row.want, row.after} {
				r, err := client.Protect(t.Context(), &pb.ProtectRequest{StateId: 1, Plaintext: []byte("hello")})
				if status.Code(err) != want {
					t.Errorf("%v, want %v", err, want)
				}
				if err == nil && string(r.Ciphertext) != "sealed" {
					t.Errorf("the ciphertext is %q, want %q", r.Ciphertext, "sealed")
				}
			}
			if err := p.Close(); (err != nil) != (row.want == codes.Unavailable) {
				t.Errorf("closing: %v", err)
			}
			if _, err := client.Protect(t.Context(), &pb.ProtectRequest{}); status.Code(err) != codes.Unavailable {
				t.Errorf("after closing: %v, want Unavailable", err)
			}
		})
	}
}

// TestGiveUp ends a call that is not answered.
func TestGiveUp(t *testing.T) {
	p, client := start(t, "silent")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Protect(ctx, &pb.ProtectRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("%v, want Unavailable", err)
	}
	if err := p.Close(); err == nil {
		t.Error("closing tells nothing of what was killed")
	}
}

// TestNoProgram starts what is not there.
func TestNoProgram(t *testing.T) {
	if _, err := stdio.Start(os.Stderr, "/nowhere/at/all"); err == nil {
		t.Error("started")
	}
}
