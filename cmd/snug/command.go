package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"

	"snug/mtls"
)

// A command is what `snug listen --exec` runs for a peer, with the socket in place of stdin and stdout.
type command struct {
	*exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
}

// start runs a line of the shell for the peer, whose fingerprint it finds in SNUG_PEER and whose name, if it has one, in
// SNUG_PEER_NAME.
func (c *call) start(ctx context.Context, line string, conn *mtls.Conn, name string) (*command, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Env = append(os.Environ(), "SNUG_PEER="+conn.Peer().Fingerprint.String(), "SNUG_PEER_NAME="+name)
	cmd.Stderr = c.err
	killAll(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("running the command: %w", err)
	}
	return &command{cmd, in, out}, nil
}

// joinCommand joins the peer with a command of its own. A command that fails cuts the stream, so that half of an
// answer does not pass for one; a peer that is cut off kills the command before it can take the end of its input for
// the end of what there was.
func (c *call) joinCommand(ctx context.Context, line string, conn *mtls.Conn, name string) error {
	running, kill := context.WithCancel(ctx)
	defer kill()
	cmd, err := c.start(running, line, conn, name)
	if err != nil {
		conn.NetConn().Close()
		return err
	}
	wait := sync.OnceValue(cmd.Wait)
	j := joint{conn: conn, in: cmd.out, out: &whileRead{to: cmd.in}, outEnded: cmd.in.Close}
	j.inEnded = func() error {
		if err := wait(); err != nil {
			return fmt.Errorf("the command ended with %w", err)
		}
		return nil
	}
	// The connection has its seat for as long as the command runs.
	j.broke = func() {
		kill()
		wait()
	}
	return c.join(ctx, &j)
}

// whileRead writes to a command for as long as it reads: one that has seen enough, as head does, is no failure.
type whileRead struct {
	to   io.Writer
	over bool
}

// Write is io.Writer's.
func (w *whileRead) Write(b []byte) (int, error) {
	if !w.over {
		_, err := w.to.Write(b)
		w.over = err != nil
	}
	return len(b), nil
}
