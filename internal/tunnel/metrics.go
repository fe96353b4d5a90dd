package tunnel

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are a loopback port with /metrics for Prometheus, /healthz for supervisors and /top for `snug tunnel top`. No
// page of a browser gets anything there: what has an Origin, or a Host that is no loopback address, is refused.
type metrics struct {
	listener net.Listener
	server   *http.Server
	running  sync.WaitGroup
}

func newMetrics(ctx context.Context, t *Tunnel, address string) (*metrics, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("tunnel: metrics: %w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{t})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", t.serveHealth)
	mux.HandleFunc("GET /top", t.serveTop)
	m := &metrics{listener: l}
	m.server = &http.Server{
		Handler: local(mux), ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(t.log.Handler(), slog.LevelDebug),
	}
	m.running.Go(func() { m.server.Serve(l) })
	return m, nil
}

func (m *metrics) close() {
	m.server.Close()
	m.running.Wait()
}

// local refuses what a page in a browser could have sent.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if !strings.Contains(host, ":") {
			host += ":80"
		}
		if r.Header.Get("Origin") != "" || !(Address{"tcp", host}).local() {
			http.Error(w, "for this machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (t *Tunnel) serveHealth(w http.ResponseWriter, _ *http.Request) {
	if err := t.Health(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (t *Tunnel) serveTop(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(t.Snapshot())
}

// A Row is what `snug tunnel top` shows of the peers of one rule on a route.
type Row struct {
	Route string `json:"route"`
	Peer  string `json:"peer"`
	// Streams are under way; Ended, Broken and Refused are those of the past.
	Streams int64 `json:"streams"`
	Ended   int64 `json:"ended"`
	Broken  int64 `json:"broken"`
	Refused int64 `json:"refused"`
	// Connections are those under way, idle carriers included.
	Connections int   `json:"connections"`
	Sent        int64 `json:"sent"`
	Received    int64 `json:"received"`
	// Handshakes are those of its peers, by result.
	Handshakes map[string]int64 `json:"handshakes,omitempty"`
	// Expires is when the peer's certificate does, in Unix seconds; 0 where none was shown yet.
	Expires int64 `json:"expires,omitempty"`
}

// A Snapshot is what a tunnel does at one moment.
type Snapshot struct {
	Rows []Row `json:"rows"`
	// Handshakes are counted by route and result; Strangers are those of them that came as far as no rule.
	Handshakes map[string]map[string]int64 `json:"handshakes"`
	Strangers  map[string]map[string]int64 `json:"strangers"`
	// Expires is the end of our own certificates by route, in Unix seconds.
	Expires map[string]int64 `json:"expires"`
	Problem string           `json:"problem,omitempty"`
}

// Snapshot counts.
func (t *Tunnel) Snapshot() Snapshot {
	s := Snapshot{Rows: []Row{}, Expires: make(map[string]int64)}
	s.Handshakes, s.Strangers = make(map[string]map[string]int64), make(map[string]map[string]int64)
	if err := t.Health(); err != nil {
		s.Problem = err.Error()
	}
	t.at.Lock()
	routes := make([]*route, 0, len(t.at.routes))
	for _, r := range t.at.routes {
		routes = append(routes, r)
	}
	t.at.Unlock()
	for _, r := range routes {
		s.Expires[r.name] = r.standing.Load().policy.expires.Unix()
		s.Handshakes[r.name], s.Strangers[r.name] = make(map[string]int64), make(map[string]int64)
		r.snapshot(&s)
	}
	slices.SortFunc(s.Rows, func(a, b Row) int {
		return strings.Compare(a.Route+" "+a.Peer, b.Route+" "+b.Peer)
	})
	return s
}

func (r *route) snapshot(s *Snapshot) {
	r.live.Lock()
	defer r.live.Unlock()
	byRule := map[string]map[string]int64{"": s.Strangers[r.name]}
	for rule := range r.live.presences {
		byRule[rule] = make(map[string]int64)
	}
	for o, n := range r.live.handshakes {
		s.Handshakes[r.name][o.result] += n
		byRule[o.rule][o.result] = n
	}
	for _, p := range r.live.presences {
		s.Rows = append(s.Rows, Row{
			Route: r.name, Peer: p.rule, Connections: p.links, Expires: p.expires.Load(), Handshakes: byRule[p.rule],
			Streams: p.active.Load(), Ended: p.ended.Load(), Broken: p.broken.Load(), Refused: p.refused.Load(),
			Sent: p.sent.Load(), Received: p.received.Load(),
		})
	}
}

// A collector makes Prometheus' metrics of a snapshot. A peer is named by the rule that lets it in, so that nobody can
// make new series.
type collector struct{ tunnel *Tunnel }

var (
	peerLabels      = []string{"route", "peer"}
	descStreams     = prometheus.NewDesc("snug_tunnel_streams", "Streams under way.", peerLabels, nil)
	descConnections = prometheus.NewDesc("snug_tunnel_connections", "Authenticated connections, idle ones included.", peerLabels, nil)
	descEnded       = prometheus.NewDesc("snug_tunnel_streams_total", "Streams that are over, by result.", append(peerLabels, "result"), nil)
	descBytes       = prometheus.NewDesc("snug_tunnel_bytes_total", "Bytes of streams, by direction.", append(peerLabels, "direction"), nil)
	descHandshakes  = prometheus.NewDesc("snug_tunnel_handshakes_total", "Handshakes, by result; of those that came as far as no rule the peer is empty.", append(peerLabels, "result"), nil)
	descExpiry      = prometheus.NewDesc("snug_tunnel_certificate_expiry_days", "Days until a certificate expires: our own, or the one a peer showed last.", append(peerLabels, "of"), nil)
	descHealthy     = prometheus.NewDesc("snug_tunnel_healthy", "1 where all files are in use, else 0.", nil, nil)
)

// Describe is prometheus.Collector's.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descStreams, descConnections, descEnded, descBytes, descHandshakes, descExpiry, descHealthy} {
		out <- d
	}
}

// Collect is prometheus.Collector's.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	s := c.tunnel.Snapshot()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v int64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	now := c.tunnel.now()
	days := func(unix int64) float64 { return float64(unix-now.Unix()) / (24 * 60 * 60) }
	for _, row := range s.Rows {
		gauge(descStreams, float64(row.Streams), row.Route, row.Peer)
		gauge(descConnections, float64(row.Connections), row.Route, row.Peer)
		counter(descEnded, row.Ended, row.Route, row.Peer, "ended")
		counter(descEnded, row.Broken, row.Route, row.Peer, "broken")
		counter(descEnded, row.Refused, row.Route, row.Peer, "refused")
		counter(descBytes, row.Sent, row.Route, row.Peer, "sent")
		counter(descBytes, row.Received, row.Route, row.Peer, "received")
		for result, n := range row.Handshakes {
			counter(descHandshakes, n, row.Route, row.Peer, result)
		}
		if row.Expires != 0 {
			gauge(descExpiry, days(row.Expires), row.Route, row.Peer, "peer")
		}
	}
	for route, results := range s.Strangers {
		for result, n := range results {
			counter(descHandshakes, n, route, "", result)
		}
	}
	for route, expires := range s.Expires {
		gauge(descExpiry, days(expires), route, "", "own")
	}
	healthy := 1.0
	if s.Problem != "" {
		healthy = 0
	}
	gauge(descHealthy, healthy)
}
