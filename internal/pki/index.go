package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"slices"
	"strings"
	"time"
)

// maxIndex bounds the index in bytes: 100,000 certificates.
const maxIndex = 16 << 20

// State is what became of a certificate.
type State string

// The states.
const (
	Valid   State = "valid"
	Expired State = "expired"
	Revoked State = "revoked"
)

// An Entry is one certificate that was issued.
type Entry struct {
	Serial  *big.Int
	Name    string // the subject's common name
	Expires time.Time
	Revoked time.Time // zero where it is not
	Reason  Reason    // why; empty where nobody said

	// file and subject are openssl's fields, kept as they are.
	file, subject string
}

// StateAt gives what has become of it by then.
func (e *Entry) StateAt(at time.Time) State {
	switch {
	case !e.Revoked.IsZero():
		return Revoked
	case at.After(e.Expires):
		return Expired
	}
	return Valid
}

// Hex gives the serial number as openssl writes it.
func (e *Entry) Hex() string { return hexSerial(e.Serial) }

// hexSerial writes whole bytes in upper-case hex.
func hexSerial(n *big.Int) string {
	text := fmt.Sprintf("%X", n)
	if len(text)%2 == 1 {
		text = "0" + text
	}
	return text
}

// An index is what was issued, in that order: the database of `openssl ca`.
type index struct{ entries []*Entry }

// parseIndex reads openssl's format: six fields with tabs between them, a line each.
func parseIndex(text []byte) (*index, error) {
	ix := &index{}
	known := make(map[string]bool)
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if !strings.HasSuffix(line, "\n") {
			return nil, fmt.Errorf("pki: line %d of the index was cut off", n)
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		entry, err := parseEntry(line)
		if err != nil {
			return nil, fmt.Errorf("pki: line %d of the index: %w", n, err)
		}
		if known[entry.Hex()] {
			return nil, fmt.Errorf("pki: line %d of the index: the serial number %s is there twice", n, entry.Hex())
		}
		known[entry.Hex()] = true
		ix.entries = append(ix.entries, entry)
	}
	return ix, nil
}

func parseEntry(line string) (*Entry, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 6 {
		return nil, fmt.Errorf("%d fields, want 6", len(fields))
	}
	e := &Entry{file: fields[4], subject: fields[5], Name: commonName(fields[5])}
	var err error
	if e.Expires, err = parseTime(fields[1]); err != nil {
		return nil, err
	}
	var valid bool
	if e.Serial, valid = new(big.Int).SetString(fields[3], 16); !valid || e.Serial.Sign() <= 0 || len(fields[3]) > 40 {
		return nil, fmt.Errorf("%q is no serial number", fields[3])
	}
	switch fields[0] {
	case "V", "E":
		if fields[2] != "" {
			return nil, errors.New("a date of revocation, and not revoked")
		}
	case "R":
		when, reason, _ := strings.Cut(fields[2], ",")
		reason, _, _ = strings.Cut(reason, ",") // what follows is of holds and of the key's own date
		if e.Revoked, err = parseTime(when); err != nil {
			return nil, err
		}
		if e.Reason, err = parseOpenSSL(reason); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("the state %q", fields[0])
	}
	return e, nil
}

// marshal writes the format that parseIndex reads. What has expired keeps its V, as `openssl ca` leaves it.
func (ix *index) marshal() []byte {
	var b strings.Builder
	for _, e := range ix.entries {
		state, revoked := "V", ""
		if !e.Revoked.IsZero() {
			state, revoked = "R", formatTime(e.Revoked)
			if e.Reason != "" {
				revoked += "," + e.Reason.openSSL()
			}
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\t%s\n", state, formatTime(e.Expires), revoked, e.Hex(), e.file, e.subject)
	}
	return []byte(b.String())
}

// named gives the entries of a name or of one serial number in hex, the newest last. Programs differ in whether they write
// zeros in front.
func (ix *index) named(name string) []*Entry {
	var found []*Entry
	number := func(hex string) string { return strings.TrimLeft(strings.ToUpper(hex), "0") }
	for _, e := range ix.entries {
		if e.Name == name || number(e.Hex()) == number(name) {
			found = append(found, e)
		}
	}
	return found
}

// add writes down a certificate before it is signed: what is not in the index could not be revoked.
func (ix *index) add(serial *big.Int, name string, expires time.Time) error {
	if slices.ContainsFunc(ix.entries, func(e *Entry) bool { return e.Serial.Cmp(serial) == 0 }) {
		return errors.New("pki: a serial number for the second time")
	}
	ix.entries = append(ix.entries, &Entry{Serial: serial, Name: name, Expires: expires, file: "unknown", subject: "/CN=" + name})
	return nil
}

const (
	utcTime         = "060102150405Z"
	generalizedTime = "20060102150405Z"
)

// parseTime reads ASN.1's times (RFC 5280, Section 4.1.2.5).
func parseTime(s string) (time.Time, error) {
	layout := generalizedTime
	if len(s) == len(utcTime) {
		layout = utcTime
	}
	t, err := time.Parse(layout, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time", s)
	}
	if layout == utcTime && t.Year() >= 2050 {
		t = t.AddDate(-100, 0, 0)
	}
	return t, nil
}

func formatTime(t time.Time) string {
	t = t.UTC()
	if t.Year() < 2050 {
		return t.Format(utcTime)
	}
	return t.Format(generalizedTime)
}

// commonName finds it in openssl's one line for a name: "/C=NL/CN=db.example.org".
func commonName(subject string) string {
	_, name, found := strings.Cut(subject, "/CN=")
	if !found {
		return ""
	}
	if i := strings.Index(name, "/emailAddress="); i >= 0 {
		name = name[:i]
	}
	return name
}

func (a *Authority) loadIndex() (*index, error) {
	text, err := read(a.Path(indexFile), maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		// Without it nobody could be revoked: it is not made anew in silence.
		return nil, fmt.Errorf("pki: the index of what was issued is gone: %s", a.Path(indexFile))
	}
	if err != nil {
		return nil, err
	}
	return parseIndex(text)
}

func (a *Authority) saveIndex(ix *index) error {
	return a.settings.disk.write(a.Path(indexFile), ix.marshal(), 0o600)
}
