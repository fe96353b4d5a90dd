package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"time"

	"snug/client"
	"snug/internal/pki"
)

// pkiDir is the directory of a home with its authority.
const pkiDir = "pki"

func pkiVerbs() []*verb {
	return []*verb{
		{
			name: "pki init", args: "NAME", least: 1, most: 1, flags: pkiInitFlags, example: "pki init 'our sockets' --dir ca",
			does: "Make a private certificate authority in a directory, or take one over that openssl has made",
		},
		{
			name: "pki issue", args: "NAME", least: 1, most: 1, flags: pkiIssueFlags, example: "pki issue db --name db.example.org --dir ca",
			does: "Make a key and a certificate for it, for listen, dial and tunnel",
		},
		{
			name: "pki renew", args: "[NAME]", most: 1, flags: pkiRenewFlags, example: "pki renew db --dir ca",
			does: "Issue a certificate anew before it ends; without a name, only sign the revocation list anew",
		},
		{
			name: "pki revoke", args: "NAME|SERIAL", least: 1, most: 1, flags: pkiRevokeFlags, example: "pki revoke db --reason key-compromise --dir ca",
			does: "Withdraw the certificates of a name, and sign the list that says so",
		},
		{name: "pki list", flags: pkiListFlags, example: "pki list --dir ca", does: "List what the authority has issued"},
		{
			name: "pki show", args: "[NAME]", most: 1, flags: pkiShowFlags, example: "pki show db --dir ca",
			does: "Show the authority, or a certificate that it has issued",
		},
	}
}

// authorityFlags are those of every verb on an authority.
type authorityFlags struct{ dir, passphraseFile string }

// addAuthority adds them; those who sign need the passphrase.
func addAuthority(set *flag.FlagSet, signs bool) *authorityFlags {
	f := new(authorityFlags)
	addHome(set)
	set.StringVar(&f.dir, "dir", "", "the `DIR` of the authority (default pki in this home)")
	if signs {
		set.StringVar(&f.passphraseFile, "passphrase-file", "", "the passphrase of the authority's key is the first line of `FILE`, - for standard input (default: asked for where there is one)")
	}
	return f
}

func (f *authorityFlags) settings(ctx context.Context, c *call) (pki.Settings, error) {
	dir := f.dir
	if dir == "" {
		home, err := homeDir(c.home)
		if err != nil {
			return pki.Settings{}, err
		}
		dir = filepath.Join(home, pkiDir)
	}
	return pki.Settings{Dir: dir, Passphrase: passphraseOf(ctx, f.passphraseFile, "passphrase of the authority: ", "--passphrase-file FILE")}, nil
}

// newPassphrase is that of an authority to be made; nil for none.
func (f *authorityFlags) newPassphrase(ctx context.Context, ask bool) (func() ([]byte, error), error) {
	passphrase, err := newKeyPassphrase(ctx, f.passphraseFile, ask, "passphrase of the new authority: ", "--passphrase-file FILE")
	if err != nil || passphrase == nil {
		return nil, err
	}
	return func() ([]byte, error) { return passphrase, nil }, nil
}

func (f *authorityFlags) open(ctx context.Context, c *call) (*pki.Authority, error) {
	settings, err := f.settings(ctx, c)
	if err != nil {
		return nil, err
	}
	return pki.Open(settings)
}

// passphraseOf gives a passphrase when it is needed: from the file, or asked for.
func passphraseOf(ctx context.Context, file, prompt, hint string) func() ([]byte, error) {
	return func() ([]byte, error) {
		if file != "" {
			passphrase, err := readPassphrase(file)
			return []byte(passphrase), err
		}
		passphrase, err := askSecretly(ctx, prompt, hint)
		return []byte(passphrase), err
	}
}

// newKeyPassphrase gives one for a new key: from the file, chosen on the terminal, or none.
func newKeyPassphrase(ctx context.Context, file string, ask bool, prompt, hint string) ([]byte, error) {
	switch {
	case file != "":
		passphrase, err := readPassphrase(file)
		return []byte(passphrase), err
	case !ask:
		return nil, nil
	}
	chosen, err := askSecretly(ctx, prompt, hint)
	if err != nil {
		return nil, err
	}
	again, err := askSecretly(ctx, "the same again: ", hint)
	if err != nil {
		return nil, err
	}
	if again != chosen || chosen == "" {
		return nil, errDiffer
	}
	return []byte(chosen), nil
}

// withHints makes an action of one on an authority, whose errors say what to do.
func withHints(act action) action {
	return func(ctx context.Context, c *call) error { return pkiError(act(ctx, c)) }
}

func pkiError(err error) error {
	hint, code := "", client.Failed
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pki.ErrNone):
		code, hint = client.NotFound, "snug pki list tells what there is; snug pki init makes an authority, and --dir says where one is"
	case errors.Is(err, pki.ErrExists):
		code, hint = client.Refused, "snug pki renew issues a certificate anew, snug pki revoke withdraws one; an authority goes to another --dir"
	case errors.Is(err, pki.ErrPassphrase):
		code, hint = client.Refused, "--passphrase-file FILE, or type it again"
	case errors.Is(err, pki.ErrBusy):
		hint = "wait for it, and try again"
	default:
		return trimmed(err)
	}
	return &client.Error{Code: code, Message: strings.TrimPrefix(err.Error(), "pki: "), Hint: hint}
}

// trimmed leaves the package's name out of an error that is for a person.
func trimmed(err error) error {
	text, cut := strings.CutPrefix(err.Error(), "pki: ")
	if !cut {
		return err
	}
	return &client.Error{Code: client.Failed, Message: text}
}

func pkiInitFlags(set *flag.FlagSet) action {
	f := addAuthority(set, true)
	var plan pki.Plan
	var from pki.Import
	var ask bool
	var fromPassphrase string
	set.BoolVar(&ask, "ask-passphrase", false, "put the authority's key under a passphrase, chosen on the terminal")
	set.StringVar((*string)(&plan.Algorithm), "algorithm", string(pki.P256), "the kind of its key: `KIND` p256 or ed25519")
	several(set, &plan.Permit, "permit", "confine what it can certify to `RANGE`: dns:example.org, ip:10.0.0.0/8 or uri:example.org; may be given several times")
	set.StringVar(&from.Certificate, "from-cert", "", "take over the authority with the certificate in `FILE`")
	set.StringVar(&from.Key, "from-key", "", "with --from-cert: its private key, in `FILE`")
	set.StringVar(&fromPassphrase, "from-passphrase-file", "", "with --from-cert: the passphrase of --from-key is the first line of `FILE` (default: asked for where there is one)")
	set.StringVar(&from.Index, "from-index", "", "with --from-cert: what it has issued, in the `FILE` index.txt of `openssl ca`")
	set.StringVar(&from.Number, "from-crlnumber", "", "with --from-cert: the number of its next revocation list, in `FILE`")
	return withHints(func(ctx context.Context, c *call) error {
		settings, err := f.settings(ctx, c)
		if err != nil {
			return err
		}
		if (from.Certificate == "") != (from.Key == "") {
			return usageErrorf("snug pki init ours --from-cert ca.pem --from-key ca.key", "--from-cert and --from-key go together")
		}
		if settings.Passphrase, err = f.newPassphrase(ctx, ask); err != nil {
			return err
		}
		var a *pki.Authority
		if from.Certificate != "" {
			from.Passphrase = passphraseOf(ctx, fromPassphrase, "passphrase of "+from.Key+": ", "--from-passphrase-file FILE")
			a, err = pki.Take(settings, from)
		} else {
			plan.Name = c.args[0]
			a, err = pki.Init(settings, plan)
		}
		if err != nil {
			return err
		}
		return c.printAuthority(a)
	})
}

func pkiIssueFlags(set *flag.FlagSet) action {
	f := addAuthority(set, true)
	var r pki.Request
	var named names
	var days int
	var ask bool
	var keyPassphrase string
	set.Var(&named, "name", "certify this `NAME`: a DNS name, an address or a URI such as spiffe://example.org/db (default the DNS name NAME); may be given several times")
	set.BoolVar(&r.Client, "client", false, "for those who dial (default both)")
	set.BoolVar(&r.Server, "server", false, "for those who listen (default both)")
	set.IntVar(&days, "days", 0, "it ends after so many days (default 7)")
	set.DurationVar(&r.TTL, "ttl", 0, "it ends after this `TIME`, such as 12h")
	set.StringVar((*string)(&r.Algorithm), "algorithm", string(pki.P256), "the kind of its key: `KIND` p256 or ed25519")
	set.StringVar(&keyPassphrase, "key-passphrase-file", "", "put the new key under the passphrase in the first line of `FILE`")
	set.BoolVar(&ask, "ask-key-passphrase", false, "put the new key under a passphrase, chosen on the terminal")
	return withHints(func(ctx context.Context, c *call) error {
		if days < 0 || r.TTL < 0 || days > 0 && r.TTL > 0 {
			return usageErrorf("snug "+c.verb.example+" --days 30", "--days or --ttl, and more than nothing")
		}
		a, err := f.open(ctx, c)
		if err != nil {
			return err
		}
		if days > 0 {
			r.TTL = time.Duration(days) * 24 * time.Hour
		}
		r.Name, r.Names = c.args[0], named
		if r.Passphrase, err = newKeyPassphrase(ctx, keyPassphrase, ask, "passphrase of the new key: ", "--key-passphrase-file FILE"); err != nil {
			return err
		}
		issued, err := a.Issue(r)
		if err != nil {
			return err
		}
		return c.printIssued(issued, pki.Valid)
	})
}

func pkiRenewFlags(set *flag.FlagSet) action {
	f := addAuthority(set, true)
	var r pki.Renewal
	var keyPassphrase string
	var ask bool
	set.BoolVar(&r.NewKey, "new-key", false, "make a new key too; who has pinned the old one has to be told")
	set.StringVar(&keyPassphrase, "key-passphrase-file", "", "with --new-key: put it under the passphrase in the first line of `FILE`")
	set.BoolVar(&ask, "ask-key-passphrase", false, "with --new-key: put it under a passphrase, chosen on the terminal")
	return withHints(func(ctx context.Context, c *call) error {
		a, err := f.open(ctx, c)
		if err != nil {
			return err
		}
		if len(c.args) == 0 {
			if err := a.SignList(); err != nil {
				return err
			}
			return c.printAuthority(a)
		}
		if r.Passphrase, err = newKeyPassphrase(ctx, keyPassphrase, ask && r.NewKey, "passphrase of the new key: ", "--key-passphrase-file FILE"); err != nil {
			return err
		}
		issued, err := a.Renew(c.args[0], r)
		if err != nil {
			return err
		}
		return c.printIssued(issued, pki.Valid)
	})
}

func pkiRevokeFlags(set *flag.FlagSet) action {
	f := addAuthority(set, true)
	var reason string
	set.StringVar(&reason, "reason", "", "why: `REASON` key-compromise, affiliation-changed, superseded, cessation or unspecified")
	return withHints(func(ctx context.Context, c *call) error {
		why, err := pki.ParseReason(reason)
		if err != nil {
			return usageErrorf("snug "+c.verb.example, "%s", strings.TrimPrefix(err.Error(), "pki: "))
		}
		a, err := f.open(ctx, c)
		if err != nil {
			return err
		}
		revoked, err := a.Revoke(c.args[0], why)
		if err != nil {
			return err
		}
		for _, e := range revoked {
			if err := c.printEntry(e); err != nil {
				return err
			}
		}
		if !c.json {
			c.say("give %s to all who rely on it (--crl); where it lies already it is read within a second", a.Path(pki.ListFile))
		}
		return nil
	})
}

func pkiListFlags(set *flag.FlagSet) action {
	f := addAuthority(set, false)
	return withHints(func(ctx context.Context, c *call) error {
		a, err := f.open(ctx, c)
		if err != nil {
			return err
		}
		entries, err := a.List()
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := c.printEntry(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func pkiShowFlags(set *flag.FlagSet) action {
	f := addAuthority(set, false)
	return withHints(func(ctx context.Context, c *call) error {
		a, err := f.open(ctx, c)
		if err != nil {
			return err
		}
		if len(c.args) == 0 {
			return c.printAuthority(a)
		}
		issued, err := a.Show(c.args[0])
		if err != nil {
			return err
		}
		state, err := a.StateOf(issued)
		if err != nil {
			return err
		}
		return c.printIssued(issued, state)
	})
}

// entryObject is how scripts see a line of the index.
type entryObject struct {
	Name    string `json:"name"`
	Serial  string `json:"serial"`
	State   string `json:"state"`
	Expires string `json:"expires"`
	Revoked string `json:"revoked,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

func (c *call) printEntry(e *pki.Entry) error {
	o := entryObject{Name: e.Name, Serial: e.Hex(), State: string(e.StateAt(time.Now())), Expires: e.Expires.UTC().Format(time.RFC3339), Reason: string(e.Reason)}
	if !e.Revoked.IsZero() {
		o.Revoked = e.Revoked.UTC().Format(time.RFC3339)
	}
	return c.print(o, "%-24s %-8s %s  %s", safe(o.Name), o.State, o.Expires, o.Serial)
}

// certificateObject is how scripts see a certificate.
type certificateObject struct {
	Name        string   `json:"name"`
	State       string   `json:"state,omitempty"`
	Serial      string   `json:"serial"`
	Names       []string `json:"names,omitempty"`
	For         []string `json:"for,omitempty"`
	From        string   `json:"from"`
	Expires     string   `json:"expires"`
	Fingerprint string   `json:"fingerprint"`
	Certificate string   `json:"cert"`
	Key         string   `json:"key,omitempty"`
	List        string   `json:"crl,omitempty"`
	ListExpires string   `json:"crl_expires,omitempty"`
}

func objectOf(info pki.Info) certificateObject {
	o := certificateObject{
		Name: info.Name, Serial: info.Serial, Names: info.Names, Fingerprint: info.Fingerprint.String(),
		From: info.From.UTC().Format(time.RFC3339), Expires: info.Until.UTC().Format(time.RFC3339),
	}
	if info.Client {
		o.For = append(o.For, "client")
	}
	if info.Server {
		o.For = append(o.For, "server")
	}
	return o
}

func (c *call) printIssued(issued *pki.Issued, state pki.State) error {
	o := objectOf(pki.Describe(issued.Certificate))
	o.State, o.Certificate, o.Key = string(state), issued.CertificatePath, issued.KeyPath
	return c.print(o, "%s: %s until %s\n  names        %s\n  for          %s\n  serial       %s\n  fingerprint  %s\n  certificate  %s\n  key          %s",
		safe(o.Name), o.State, o.Expires, safe(strings.Join(o.Names, " ")), strings.Join(o.For, " "), o.Serial, o.Fingerprint, o.Certificate, o.Key)
}

func (c *call) printAuthority(a *pki.Authority) error {
	o := objectOf(pki.Describe(a.Certificate()))
	o.Certificate, o.List = a.Path(pki.CertificateFile), a.Path(pki.ListFile)
	list, err := a.RevocationList()
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err == nil {
		o.ListExpires = list.NextUpdate.UTC().Format(time.RFC3339)
	}
	return c.print(o, "%s: an authority until %s\n  certificate  %s, for --ca\n  list         %s, for --crl, until %s",
		safe(o.Name), o.Expires, o.Certificate, o.List, o.ListExpires)
}
