package tunnel

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"snug/mtls"
)

// A Diagnosis says what came of trying to reach the far end of a socket or tunnel.
type Diagnosis struct {
	OK bool `json:"ok"`
	// Side is on which something is to be done: "here", "there", "between", or "none".
	Side string `json:"side"`
	// Problem is what is wrong, or right, in one line; Try is what to type.
	Problem string `json:"problem"`
	Try     string `json:"try,omitempty"`
	// Rule is what the far end's certificate did not satisfy, Ours and Theirs are the keys that were shown.
	Rule   string `json:"rule,omitempty"`
	Ours   string `json:"ours,omitempty"`
	Theirs string `json:"theirs,omitempty"`
	// Unreachable says that no handshake took place.
	Unreachable bool `json:"unreachable,omitempty"`
}

// Diagnose reaches for a far end with the key, the files and the rules of a route, which may have none: nothing is said
// to the far end but the handshake then. now is for dates.
func Diagnose(ctx context.Context, r *Route, now time.Time) Diagnosis {
	d := &doctor{address: r.To.String(), rules: r.Allow, now: now}
	if len(r.Allow) == 0 {
		// Nobody's key is our own, so the handshake ends when the other one is seen.
		own, err := mtls.Load(r.Files.Key)
		if err != nil {
			return d.here(err, "snug key show")
		}
		r.Allow = []Rule{{text: "nobody", key: own.Fingerprint()}}
	}
	p, err := loadPolicy(r, time.Now, nil)
	if err == nil && p.config == nil {
		err = ErrNobody
	}
	if err != nil {
		try := "snug tunnel --check, with the same files"
		var known interface{ Try() string }
		if errors.As(err, &known) {
			try = known.Try()
		}
		return d.here(err, try)
	}
	d.examine(r, p)
	conn, err := newTarget(r).dial(ctx)
	if err != nil {
		return d.unreachable(err)
	}
	defer conn.Close()
	verify := p.config.VerifyConnection
	p.config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) > 0 {
			d.Theirs = mtls.FingerprintOf(state.PeerCertificates[0]).String()
		}
		return verify(state)
	}
	l, err := handshake(ctx, conn, p, false)
	if err == nil {
		defer l.line.Close()
		err = l.probe()
	}
	return d.explain(err)
}

// probe finds out whether the far end has accepted us, where it has a way to say so.
func (l *link) probe() error {
	if l.framed {
		if err := l.open(); err != nil {
			return err
		}
		l.line.SetWriteDeadline(time.Now().Add(resetTimeout))
		return l.control(kindEnd, l.number(), reasonNone)
	}
	if l.state.NegotiatedProtocol == mtls.Protocol {
		return nil // it has confirmed
	}
	// A refusal comes at once, and who accepts may have nothing to say.
	l.line.SetReadDeadline(time.Now().Add(lingerTimeout))
	if err := l.fill(); err != nil && err != io.EOF && !isTimeout(err) {
		return err
	}
	return nil
}

// A doctor gathers what is known.
type doctor struct {
	Diagnosis
	address string
	rules   []Rule
	now     time.Time
	// fault is what is wrong with what we show, names are those in our certificate.
	fault *mtls.PeerError
	names string
}

// examine looks at what we show ourselves.
func (d *doctor) examine(r *Route, p *policy) {
	d.Ours = p.own.Fingerprint().String()
	d.fault = ownFault(r, p.own, d.now)
	if r.Files.Certificate != "" {
		d.names = texts(p.own.Names())
	}
}

func (d *doctor) say(side, try, format string, args ...any) Diagnosis {
	d.Side, d.Try, d.Problem = side, try, fmt.Sprintf(format, args...)
	return d.Diagnosis
}

func (d *doctor) here(err error, try string) Diagnosis {
	problem := strings.ReplaceAll(strings.ReplaceAll(err.Error(), "mtls: ", ""), "tunnel: ", "")
	return d.say("here", try, "%s", problem)
}

// unreachable explains why there was no connection.
func (d *doctor) unreachable(err error) Diagnosis {
	d.Unreachable = true
	var name *net.DNSError
	var forbidden *TargetError
	switch {
	case errors.As(err, &forbidden):
		return d.say("here", "--within "+forbidden.Address.String()+", if that was meant", "%s stands for %s, which is %s", forbidden.Target, forbidden.Address, forbidden.Why)
	case errors.As(err, &name) && name.IsNotFound:
		return d.say("here", "the host's right name, or its address", "no host is called %s", name.Name)
	case errors.Is(err, syscall.ECONNREFUSED):
		return d.say("there", "there: snug listen or snug tunnel --tls accept, on this port", "nobody listens on %s", d.address)
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return d.say("between", "there: a firewall that lets the port through", "nothing answers on %s: the host is away, or a firewall drops what comes", d.address)
	}
	return d.say("between", "", "%s cannot be reached: %v", d.address, err)
}

// explain explains what came of the handshake.
func (d *doctor) explain(err error) Diagnosis {
	var wrong *mtls.PeerError
	var garbage tls.RecordHeaderError
	var op *net.OpError
	var refused *refusedStream
	var busy *mtls.RefusedError
	switch {
	case err == nil:
		d.OK = true
		return d.say("none", "", "both sides accept each other: we are %s, it is %s", d.Ours, d.Theirs)
	case errors.As(err, &refused):
		return d.say("there", "there: see that the service runs at the address of --to", "both sides accept each other, but %s", refused.why)
	case errors.As(err, &busy) && busy.Busy:
		return d.say("there", "there: snug listen with --streams and --commands, or wait until one has ended", "both sides accept each other, but it has %s", busy.Reason)
	case errors.As(err, &wrong):
		return d.wrongPeer(wrong)
	case errors.As(err, &garbage):
		return d.say("there", "another port: a tunnel's --listen, not its --to", "what listens on %s speaks no TLS", d.address)
	case errors.As(err, &op) && op.Op == "remote error":
		return d.alert(strings.TrimPrefix(op.Err.Error(), "tls: "))
	case isTimeout(err), errors.Is(err, context.DeadlineExceeded):
		return d.say("there", "another port: a tunnel's --listen, not its --to", "%s takes connections and says nothing: it speaks no TLS, or is overloaded", d.address)
	case errors.Is(err, mtls.ErrTruncated), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return d.say("there", "there: its log; it may have too many handshakes of this address, or demand a PROXY header", "%s hung up during the handshake", d.address)
	}
	return d.say("between", "", "the handshake with %s failed: %v", d.address, err)
}

// wrongPeer explains why we refuse the far end.
func (d *doctor) wrongPeer(e *mtls.PeerError) Diagnosis {
	d.Rule = string(e.Rule)
	reason := e.Reason
	switch {
	case len(d.rules) == 0:
		return d.say("here", "--peer "+d.Theirs+", if `snug key show` prints that there", "nobody was named to expect; its key is %s", d.Theirs)
	case e.Rule == mtls.RuleKey:
		return d.say("here", "--peer "+d.Theirs+", if `snug key show` prints that there; else somebody is in between",
			"its key is %s, and the rule here is %s", d.Theirs, d.ruleTexts())
	case e.Rule == mtls.RuleName:
		return d.say("here", "--allow with the right one of its names", "its certificate has another name: the rule here is %s, and it says %s", d.ruleTexts(), texts(e.GotNames))
	}
	if a, known := ofTheirs[e.Rule]; known {
		return d.say(a.side, a.try, "%s: %s", a.problem, reason)
	}
	return d.say("there", "there: another certificate", "we refuse its certificate: %s", reason)
}

// alert explains why the far end refuses us.
func (d *doctor) alert(text string) Diagnosis {
	switch {
	case strings.Contains(text, "protocol version"):
		return d.say("there", "there: a program that speaks TLS 1.3", "it speaks no TLS 1.3")
	case strings.Contains(text, "no application protocol"):
		return d.say("there", "another port, where this is a messenger's server; snug dial --password or --token-file, where it is snug listen with the same",
			"it speaks TLS, but another protocol than tunnels and sockets between known keys")
	}
	fault, reason := alertRule(text), ""
	if d.fault != nil {
		fault, reason = d.fault.Rule, ": "+d.fault.Reason
	}
	if a, known := ofOurs[fault]; known {
		d.Rule = string(fault)
		return d.say(a.side, a.try, "it refuses us (%s): %s%s; our key is %s", text, a.problem, reason, d.Ours)
	}
	if d.names != "" {
		return d.say("there", "there: its log says which; --allow with one of our names and --authority of ours, or, if it is revoked, here: snug pki issue makes a new key",
			"it refuses us (%s): no rule there lets our certificate in, which says %s, or it is revoked there; our key is %s", text, d.names, d.Ours)
	}
	return d.say("there", "there: its log says which; --peer "+d.Ours+", but never if it is revoked there: then here a new key",
		"it refuses us (%s): no rule there lets our key in, or it is revoked there; our key is %s", text, d.Ours)
}

// alertRule is the rule that an alert speaks of (RFC 8446, Section 6.2), or "". Most programs, Snug among them, send
// bad_certificate for all.
func alertRule(text string) mtls.Rule {
	for _, of := range []struct {
		words string
		rule  mtls.Rule
	}{
		{"expired certificate", mtls.RuleExpired},
		{"revoked certificate", mtls.RuleRevoked},
		{"unknown certificate authority", mtls.RuleAuthority},
		{"unsupported certificate", mtls.RulePurpose},
		{"certificate required", mtls.RuleNone},
		{"insufficient security", mtls.RuleWeak},
	} {
		if strings.Contains(text, of.words) {
			return of.rule
		}
	}
	return ""
}

func (d *doctor) ruleTexts() string { return texts(d.rules) }

// texts lists what has a text, "none" where that is nothing.
func texts[T fmt.Stringer](all []T) string {
	var list []string
	for _, one := range all {
		list = append(list, one.String())
	}
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, " or ")
}
