package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sealedHouse makes an authority under a passphrase, far with a key under another, and near.
func sealedHouse(t *testing.T) (h *house, authority, key string) {
	t.Helper()
	dir := t.TempDir()
	authority, key = filepath.Join(dir, "authority"), filepath.Join(dir, "key")
	for path, passphrase := range map[string]string{authority: "open sesame\n", key: "shut sesame\n"} {
		if err := os.WriteFile(path, []byte(passphrase), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h = newHouse(t, "--passphrase-file", authority)
	h.pki("issue", "far", "--passphrase-file", authority, "--key-passphrase-file", key)
	h.pki("issue", "near", "--passphrase-file", authority)
	return h, authority, key
}

// TestTunnelPassphrases: keys under passphrases, which come from files; without them what to type is told, at once.
func TestTunnelPassphrases(t *testing.T) {
	h, authority, key := sealedHouse(t)
	service := shouter(t)
	accepts := []string{"tunnel", "--listen", "127.0.0.1:0", "--to", service, "--tls", "accept", "--pki", h.dir + "/far", "--allow", "dns:near", "--home", h.home}
	far := running(t, append(accepts, "--key-passphrase-file", key, "--passphrase-file", authority, "--json")...)
	address := far.event("listening")["addr"].(string)
	connects := []string{"tunnel", "--listen", "127.0.0.1:0", "--to", address, "--tls", "connect", "--pki", h.dir + "/near", "--allow", "dns:far", "--home", h.home}

	// Nobody gives the authority's passphrase: it runs, and says that it will not renew.
	near := running(t, append(connects, "--json")...)
	if event := near.event("unrenewed"); event["name"] != "main" || !strings.Contains(event["reason"].(string), "ca.key is under a passphrase") || event["hint"] != "try: --passphrase-file FILE" {
		t.Errorf("unrenewed: %v; want the key and what to type", event)
	}
	says(t, "tcp", near.event("listening")["addr"].(string), "sealed")
	if strings.Contains(far.log.String(), "unrenewed") || strings.Contains(far.log.String()+near.log.String(), "sesame") {
		t.Errorf("they say\n%s%s", far.log, near.log)
	}

	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("open\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name        string
		status      int
		words, todo string
		args        []string
	}{
		{"nobody gives that of the key", 1, "far.key is under a passphrase", "--key-passphrase-file FILE", append(accepts, "--passphrase-file", authority)},
		{"a wrong one of the key", 1, "wrong passphrase", "--key-passphrase-file FILE", append(accepts, "--passphrase-file", authority, "--key-passphrase-file", wrong)},
		{"a wrong one of the authority", 1, "wrong passphrase", "passphrase-file FILE", append(accepts, "--passphrase-file", wrong, "--key-passphrase-file", key)},
		{"no such file", 1, "reading the passphrase", "first line", append(accepts, "--passphrase-file", wrong+"er", "--key-passphrase-file", key)},
		{"both from standard input", 2, "standard input holds one", "FILE", append(accepts, "--passphrase-file", "-", "--key-passphrase-file", "-")},
		{"a doctor without it", 3, "far.key is under a passphrase", "--key-passphrase-file FILE", []string{"doctor", address, "--pki", h.dir + "/far", "--allow", "dns:far", "--home", h.home}},
		{"a doctor with it", 0, "both sides accept each other", "", []string{"doctor", address, "--pki", h.dir + "/near", "--allow", "dns:far", "--home", h.home, "--key-passphrase-file", key}},
	} {
		cmd := exec.Command(binary, row.args...)
		cmd.SysProcAttr = alone
		out, _ := cmd.CombinedOutput()
		if status := cmd.ProcessState.ExitCode(); status != row.status || !strings.Contains(string(out), row.words) || !strings.Contains(string(out), row.todo) {
			t.Errorf("%s: exit %d, %s; want %d, %q and %q", row.name, status, out, row.status, row.words, row.todo)
		}
	}
}
