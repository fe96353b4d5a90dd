package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"snug/client"
	"snug/internal/tunnel"
)

// topFlags show a running tunnel, by the loopback port of its metrics.
func topFlags(set *flag.FlagSet) action {
	metrics := set.String("metrics", "127.0.0.1:9120", "`ADDRESS` of the tunnel's --metrics")
	once := set.Bool("once", false, "show it once, and stop")
	every := set.Duration("every", time.Second, "look again after this `TIME`")
	return func(ctx context.Context, c *call) error {
		if *every < 100*time.Millisecond {
			return usageErrorf("snug "+c.verb.example, "tunnel top: --every is at least 100ms")
		}
		return showTop(ctx, c, *metrics, *once || c.json || !isTerminal(c.out), *every)
	}
}

// showTop draws the table again and again, until it is interrupted.
func showTop(ctx context.Context, c *call, metrics string, once bool, every time.Duration) error {
	var before *tunnel.Snapshot
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		now, err := fetchTop(ctx, metrics)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return &client.Error{Code: client.Unreachable, Message: "asking the tunnel: " + err.Error(), Hint: "is it running with --metrics " + metrics + "?"}
		}
		switch {
		case c.json:
			return c.print(now, "")
		case once:
			return drawTop(c.out, now, nil, every, time.Now())
		}
		// From the upper left corner, and nothing below what is drawn.
		var screen strings.Builder
		drawTop(&screen, now, before, every, time.Now())
		fmt.Fprint(c.out, "\x1b[H"+strings.ReplaceAll(screen.String(), "\n", "\x1b[K\n")+"\x1b[J")
		before = now
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// maxTop bounds an answer: a thousand routes of a few rules each.
const maxTop = 4 << 20

func fetchTop(ctx context.Context, metrics string) (*tunnel.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metrics+"/top", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, errors.New("it answers " + response.Status)
	}
	snapshot := new(tunnel.Snapshot)
	return snapshot, json.NewDecoder(io.LimitReader(response.Body, maxTop)).Decode(snapshot)
}

// drawTop writes the table. Rates are what has changed since before. Whoever has the port may not be the tunnel.
func drawTop(w io.Writer, now, before *tunnel.Snapshot, every time.Duration, at time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s %-28s %8s %6s %9s %9s %11s %11s %8s\n", "ROUTE", "PEER", "STREAMS", "CONNS", "ENDED", "BROKEN", "SENT", "RECEIVED", "EXPIRES")
	for _, row := range now.Rows {
		sent, received := size(row.Sent), size(row.Received)
		if before != nil {
			old := rowOf(before, row)
			sent, received = perSecond(row.Sent-old.Sent, every), perSecond(row.Received-old.Received, every)
		}
		fmt.Fprintf(&b, "%-16s %-28s %8d %6d %9d %9d %11s %11s %8s\n", safe(row.Route), safe(shorten(row.Peer, 28)), row.Streams, row.Connections,
			row.Ended, row.Broken+row.Refused, sent, received, untilDay(row.Expires, at))
	}
	for _, line := range handshakeLines(now) {
		b.WriteString(safe(line) + "\n")
	}
	if now.Problem != "" {
		fmt.Fprintf(&b, "SOMETHING IS WRONG: %s\n", safe(strings.ReplaceAll(now.Problem, "\n", "; ")))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// rowOf gives the row of the same peers.
func rowOf(s *tunnel.Snapshot, like tunnel.Row) tunnel.Row {
	for _, row := range s.Rows {
		if row.Route == like.Route && row.Peer == like.Peer {
			return row
		}
	}
	return tunnel.Row{Sent: like.Sent, Received: like.Received}
}

// size gives bytes in three digits.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, unit := float64(n), 0
	for v >= 1000 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", v, units[unit])
}

func perSecond(n int64, every time.Duration) string {
	return size(int64(float64(max(n, 0))/every.Seconds())) + "/s"
}

// shorten keeps the beginning, which tells rules apart.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return s[:most-1] + "…"
}

// untilDay gives the days until a certificate expires; one without an end says nothing.
func untilDay(unix int64, now time.Time) string {
	const century = 100 * 365 * 24 * time.Hour
	left := time.Unix(unix, 0).Sub(now)
	switch {
	case unix == 0 || left > century:
		return "-"
	case left < 0:
		return "EXPIRED"
	case left < 48*time.Hour:
		return fmt.Sprintf("%d h", int(left.Hours()))
	}
	return fmt.Sprintf("%d d", int(left.Hours()/24))
}

// handshakeLines gives the results of handshakes by route.
func handshakeLines(s *tunnel.Snapshot) (lines []string) {
	for _, route := range slices.Sorted(maps.Keys(s.Handshakes)) {
		line := "handshakes of " + route + ":"
		for _, result := range slices.Sorted(maps.Keys(s.Handshakes[route])) {
			line += fmt.Sprintf(" %s %d", result, s.Handshakes[route][result])
		}
		lines = append(lines, line)
	}
	return lines
}
