package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"snug/mtls"
)

// bareVerb makes this program one end of the bare pair: what is left of a tunnel in Go when everything but crypto/tls and
// the copying is taken away, which no tunnel on it can pass by much.
const bareVerb = "bare-end"

// bareLines start this program again.
func bareLines(m *machine, w way) ([][]string, error) {
	self, err := os.Executable()
	return [][]string{
		{self, bareVerb, "accept", m.directory, w.far, w.back},
		{self, bareVerb, "connect", m.directory, w.near, w.through},
	}, err
}

// bareEnd is one end: a goroutine for each direction, 128 KiB at a time, keys pinned.
func bareEnd(args []string) error {
	if len(args) != 4 {
		return errors.New("bare end: want a side, a directory and two addresses")
	}
	side, directory, listen, to := args[0], args[1], args[2], args[3]
	config, err := bareConfig(side, directory)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if side == "accept" {
				conn = tls.Server(conn, config)
				if conn.(*tls.Conn).Handshake() != nil {
					return
				}
			}
			other, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer other.Close()
			if side == "connect" {
				other = tls.Client(other, config)
			}
			go shovel(other, conn)
			shovel(conn, other)
		}()
	}
}

// bareConfig pins the other end's key, which is the cheapest judgement there is.
func bareConfig(side, directory string) (*tls.Config, error) {
	make, ours, theirs := mtls.ServerConfig, "server", "client"
	if side == "connect" {
		make, ours, theirs = mtls.ClientConfig, theirs, ours
	}
	id, err := mtls.LoadCertificate(filepath.Join(directory, ours+".crt"), filepath.Join(directory, ours+".key"))
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(directory, theirs+".crt"))
	if err != nil {
		return nil, err
	}
	peer, err := mtls.ParseCertificates(text)
	if err != nil {
		return nil, err
	}
	config, err := make(id, mtls.Pin(mtls.FingerprintOf(peer[0])), "bare")
	if err == nil {
		config.DynamicRecordSizingDisabled = true
	}
	return config, err
}

func shovel(to, from net.Conn) {
	buffer := make([]byte, 128<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}
