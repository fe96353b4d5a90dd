package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"strings"
	"sync"

	"snug/client"
	"snug/internal/pki"
	"snug/mtls"
)

// certified are the flags of sockets whose peers an authority has certified.
type certified struct {
	authorities, lists []string
	names              names
	certificate, key   string
	keyPassphrase      string // a file
	revoked            string // a file of keys
	anyName            bool
}

// names is the flag --name, given once or several times.
type names []mtls.Name

func (n *names) String() string { return "" }

// Set reads one of them.
func (n *names) Set(text string) error {
	name, err := mtls.ParseName(text)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "mtls: "))
	}
	*n = append(*n, name)
	return nil
}

// several adds a flag that may be given several times.
func several(set *flag.FlagSet, into *[]string, name, usage string) {
	set.Func(name, usage, func(text string) error {
		*into = append(*into, text)
		return nil
	})
}

// addCertified adds the flags. Only who listens may let in whoever is certified.
func addCertified(set *flag.FlagSet, listens bool) *certified {
	a := new(certified)
	several(set, &a.authorities, "ca", "accept whom the authority with the certificate in `FILE` has certified; with --peer both have to hold")
	set.Var(&a.names, "name", "with --ca: the peer has to be certified under this `NAME`: a DNS name, an address, a URI, or cn:NAME; may be given several times")
	several(set, &a.lists, "crl", "with --ca: refuse whom the revocation list in `FILE` names; it is read again when it changes")
	set.StringVar(&a.revoked, "revoked", "", "refuse the keys whose fingerprints are in `FILE`, one to a line; it is read again when it changes")
	set.StringVar(&a.certificate, "cert", "", "show the certificate in `FILE` instead of this home's key; it is read again when it changes")
	set.StringVar(&a.key, "key", "", "the private key of --cert, in `FILE` (default the same file)")
	set.StringVar(&a.keyPassphrase, "key-passphrase-file", "", "the passphrase of --key is the first line of `FILE` (default: asked for where there is one)")
	if listens {
		set.BoolVar(&a.anyName, "any-name", false, "with --ca, instead of --name: accept everybody whom the authority has certified for clients")
	}
	return a
}

// used reports whether any of the flags was given.
func (a *certified) used() bool {
	return len(a.authorities) > 0 || len(a.names) > 0 || len(a.lists) > 0 || a.certificate != "" || a.key != "" || a.keyPassphrase != "" || a.revoked != "" || a.anyName
}

// check refuses what does not go together.
func (a *certified) check(c *call, pinned bool) error {
	try := "snug " + c.verb.name + " " + c.args[0] + " --ca ca.pem --cert me.pem --name db.example.org"
	switch {
	case len(a.authorities) == 0 && (len(a.names) > 0 || len(a.lists) > 0 || a.anyName):
		return usageErrorf(try, "--name, --any-name and --crl need --ca")
	case a.key != "" && a.certificate == "":
		return usageErrorf(try, "--key needs --cert")
	case a.anyName && len(a.names) > 0:
		return usageErrorf(try, "--any-name and --name: which of them?")
	case len(a.authorities) > 0 && len(a.names) == 0 && !a.anyName && !pinned:
		return usageErrorf(try, "%s: which of those whom the authority has certified? --name says it", c.verb.name)
	}
	return nil
}

// socketTrust is who we are and whom we trust, by all flags. What lies in files is looked after until the function that
// it returns is called: a renewed certificate is taken over, and who is revoked is cut off.
func (c *call) socketTrust(ctx context.Context, accepted *peers, a *certified) (live *mtls.Live, end func(), err error) {
	if err := a.check(c, len(*accepted) > 0); err != nil {
		return nil, nil, err
	}
	files := mtls.Files{Certificate: a.certificate, Key: a.key, Authorities: a.authorities, Lists: a.lists, RevokedKeys: a.revoked}
	files.OpenKey = pki.KeyOpener(remembered(passphraseOf(ctx, a.keyPassphrase, "passphrase of "+a.key+": ", "--key-passphrase-file FILE")))
	if len(*accepted) > 0 || len(a.authorities) == 0 {
		if files.Trust, err = accepted.trust(ctx, c); err != nil {
			return nil, nil, err
		}
	}
	if len(a.authorities) > 0 {
		files.Trust.Authority = &mtls.Authority{Names: a.names, AcceptAnyName: a.anyName}
	}
	if a.certificate == "" {
		if files.Identity, err = c.socketIdentity(); err != nil {
			return nil, nil, err
		}
	} else if a.key == "" {
		files.Key = a.certificate
	}
	watcher, err := mtls.Watch(files, c.tellReload)
	if err != nil {
		return nil, nil, filesError(err)
	}
	watching, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { watcher.Run(watching) })
	return watcher.Live(), func() {
		stop()
		running.Wait()
	}, nil
}

// filesError makes an error for a person of one about files.
func filesError(err error) error {
	var already *client.Error
	var usage *usageError
	if errors.As(err, &already) || errors.As(err, &usage) || errors.Is(err, errInterrupted) {
		return err
	}
	text := strings.NewReplacer("mtls: ", "", "pki: ", "").Replace(err.Error())
	return &client.Error{Code: client.Failed, Message: text, Hint: hintOfFile(err)}
}

// hintOfFile is what to do about a file with a key, a certificate or a list that cannot be used, or "".
func hintOfFile(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, pki.ErrPassphrase):
		return "--key-passphrase-file FILE, or type it again"
	case errors.Is(err, fs.ErrNotExist):
		return "is that its name? `snug pki issue` makes a key and its certificate, `snug pki init` an authority and its list"
	case errors.Is(err, fs.ErrPermission):
		return "it has to be readable for who runs this"
	case strings.Contains(text, "must be 0600"):
		return "chmod 600, and make sure that nobody has read it"
	case strings.Contains(text, "is not that of the certificate"):
		return "the certificate and its key go together: snug pki issue makes both"
	case strings.Contains(text, "private key"), strings.Contains(text, "PRIVATE KEY"):
		return "a private key is PEM, as snug pki issue and openssl write it"
	case strings.Contains(text, "CERTIFICATE"), strings.Contains(text, "certificate"):
		return "a certificate is PEM, as snug pki and openssl write it"
	}
	return ""
}

// remembered asks once: a key that is read again has the passphrase that it had.
func remembered(ask func() ([]byte, error)) func() ([]byte, error) {
	var passphrase []byte
	return func() ([]byte, error) {
		if passphrase != nil {
			return passphrase, nil
		}
		given, err := ask()
		if err == nil {
			passphrase = given
		}
		return given, err
	}
}

// tellReload tells what became of files that have changed.
func (c *call) tellReload(cut int, err error) {
	if err != nil {
		reason := strings.TrimPrefix(err.Error(), "mtls: ")
		c.tell(socketEvent{Event: "stale", Reason: reason}, "what was there before stays in use: %s", safe(reason))
		return
	}
	c.tell(socketEvent{Event: "reloaded"}, "certificates and lists were read again; %d connections had to end", cut)
}

// hintOfRule says what a person can do about a peer that did not satisfy it.
func hintOfRule(rule mtls.Rule) string {
	switch rule {
	case mtls.RuleExpired, mtls.RuleNotYetValid:
		return "have it renewed there (snug pki renew NAME), if the clocks on both sides are right"
	case mtls.RuleName:
		return "if that is the right peer, give --name one of the names that came, or have a certificate issued for the one expected"
	case mtls.RuleAuthority:
		return "if that is the right peer, give --ca the certificate of the authority that has issued its own"
	case mtls.RulePurpose:
		return "have a certificate issued for that purpose: snug pki issue NAME, without --client or --server for both"
	case mtls.RuleUnknownRevocation:
		return "bring the authority's newest list to --crl; there, `snug pki renew` signs one"
	case mtls.RuleRevoked:
		return "the authority has withdrawn it: a new certificate needs a new key, by `snug pki issue`"
	case mtls.RuleNone:
		return "it has to show a key or a certificate: snug listen, dial and tunnel do"
	case mtls.RuleProtocol:
		return "it is no socket of snug, or one that was told otherwise: another port, or a program that speaks TLS 1.3"
	case mtls.RuleKey:
		return "if that is the right peer, give --peer what `snug key show` prints there now"
	}
	return "have a certificate issued by an authority whose certificates are as they should be: `snug pki init` makes one"
}
