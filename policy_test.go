package snug_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A rule forbids imports, with the reason that its failure prints.
type rule struct {
	name   string
	from   []string // packages below the module's root; "a/..." means a and all below it
	except []string
	never  []string // import paths; "a/..." likewise
	why    string
	// transitive rules look at what is linked, in the build for a browser; the others at the import lines.
	transitive bool
}

var rules = []rule{
	{
		name: "the server cannot read", from: []string{"snug/internal/server/..."},
		never: []string{"snug/mls/...", "snug/client/..."}, transitive: true,
		why: "the server cannot read messages because the code is not in it",
	},
	{
		name: "mls and mtls stand alone", from: []string{"snug/mls", "snug/mtls"},
		never: []string{"snug/..."}, except: []string{"snug/mls", "snug/mtls"}, transitive: true,
		why: "others can take them without the messenger",
	},
	{
		name: "mtls is the standard library", from: []string{"snug/mtls"},
		never: []string{"golang.org/...", "github.com/..."}, why: "a socket library with dependencies is one to audit",
	},
	{
		name: "mls needs golang.org/x/crypto only", from: []string{"snug/mls"},
		never: []string{"github.com/...", "zombiezen.com/..."}, why: "the protocol's code is all there is to read",
	},
	{
		name: "the core runs in a browser", from: []string{"snug/client", "snug/internal/bridge"},
		never: []string{"net/http", "crypto/tls", "crypto/x509", "database/sql", "os/exec", "encoding/json", "log/slog"}, transitive: true,
		why: "each is paid for in the download, and none works there",
	},
	{
		name: "cryptography is in few places",
		from: []string{"snug/..."},
		except: []string{
			"snug/mls", "snug/mtls", "snug/internal/ident",
			"snug/internal/cpace", // one protocol to one draft: docs/decisions/0025
			"snug/cmd/snug", "snug/internal/transport", "snug/internal/server", "snug/internal/tunnel",
			// an authority signs certificates and seals its key (docs/decisions/0020)
			"snug/internal/pki",
		},
		never: []string{"crypto/...", "golang.org/x/crypto/..."},
		why:   "who audits the cryptography reads these packages and no other",
	},
	{
		name: "who listens and dials names its tls.Config",
		from: []string{"snug/cmd/snug", "snug/internal/transport", "snug/internal/server", "snug/internal/tunnel"}, except: []string{"crypto/tls"},
		never: []string{"crypto/...", "golang.org/x/crypto/..."},
		why:   "what mtls made is passed on, and nothing else done with it",
	},
}

// matches reports whether the import path is one of the patterns.
func matches(path string, patterns []string) bool {
	for _, pattern := range patterns {
		prefix, all := strings.CutSuffix(pattern, "/...")
		if path == prefix || all && strings.HasPrefix(path, prefix+"/") {
			return true
		}
	}
	return false
}

// TestImports keeps the rules above.
func TestImports(t *testing.T) {
	direct := directImports(t)
	for _, r := range rules {
		t.Run(strings.ReplaceAll(r.name, " ", "-"), func(t *testing.T) {
			for path, imports := range direct {
				if !matches(path, r.from) || !r.transitive && matches(path, r.except) {
					continue
				}
				if r.transitive {
					imports = linked(t, path)
				}
				for _, imported := range imports {
					if imported != path && matches(imported, r.never) && !matches(imported, r.except) {
						t.Errorf("%s imports %s: %s", path, imported, r.why)
					}
				}
			}
		})
	}
}

// directImports returns the import lines of the module's packages, tests left out, by import path.
func directImports(t *testing.T) map[string][]string {
	t.Helper()
	imports := make(map[string][]string)
	eachFile(t, ".go", func(path string, text []byte) {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "internal/testkit/") || strings.HasPrefix(path, "bench/") {
			return
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		pkg := "snug/" + filepath.ToSlash(filepath.Dir(path))
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			imports[pkg] = append(imports[pkg], imported)
		}
	})
	if len(imports) == 0 {
		t.Fatal("no packages found")
	}
	return imports
}

// linked returns all that a package links, itself included, for the machine at hand.
func linked(t *testing.T, path string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", path).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", path, err)
	}
	return strings.Fields(string(out))
}

// eachFile calls f for each file of the repository that ends in suffix, but for what is built or fetched.
func eachFile(t *testing.T, suffix string, f func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			// Modules of their own have rules of their own.
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != "." {
				return fs.SkipDir
			}
			switch entry.Name() {
			case ".git", "node_modules", "dist", "build":
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, suffix) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(path), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNoMistakes looks for the mistakes of the tutorials that a text search can see; those that it cannot see have
// tests where the code is (docs/threat-model.md lists them).
func TestNoMistakes(t *testing.T) {
	banned := []struct {
		name    string
		pattern *regexp.Regexp
		suffix  string
		allowed []string
	}{
		{"certificate checks switched off", regexp.MustCompile(`InsecureSkipVerify:?\s*=?\s*true`), ".go", []string{"mtls/"}},
		{"broken hashes", regexp.MustCompile(`"crypto/(md5|sha1|des|rc4)"`), ".go", []string{"mtls/"}},
		// PKCS #8 that openssl reads has no other; the key is compared with its certificate (docs/decisions/0020).
		{"unauthenticated modes", regexp.MustCompile(`cipher\.New(CTR|CBCEncrypter|CFBEncrypter|OFB)\(`), ".go", []string{"internal/pki/pkcs8.go"}},
		{"guessable randomness", regexp.MustCompile(`"math/rand"`), ".go", nil},
		{"evaluated input", regexp.MustCompile(`\beval\(|new Function\(|\{@html|innerHTML|dangerouslySet`), ".ts", nil},
		{"evaluated input", regexp.MustCompile(`\beval\(|new Function\(|\{@html|innerHTML`), ".svelte", nil},
		{"cookies", regexp.MustCompile(`document\.cookie`), ".ts", nil},
		{"cookies", regexp.MustCompile(`http\.SetCookie|Set-Cookie`), ".go", nil},
	}
	for _, b := range banned {
		eachFile(t, b.suffix, func(path string, text []byte) {
			if path == "policy_test.go" || strings.HasPrefix(path, "web/test/") || strings.HasSuffix(path, "_test.go") {
				return
			}
			for _, prefix := range b.allowed {
				if strings.HasPrefix(path, prefix) {
					return
				}
			}
			if at := b.pattern.FindIndex(text); at != nil {
				t.Errorf("%s:%d: %s", path, 1+bytes.Count(text[:at[0]], []byte("\n")), b.name)
			}
		})
	}
}

// TestDocs sees that every test that the threat model names is there, as a promise whose test is gone is none, and that it
// names one for each part that might be evil.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	cell := regexp.MustCompile("`([a-z./]+)` (Test[A-Za-z]+(?:, Test[A-Za-z]+)*)")
	named := 0
	for _, match := range cell.FindAllStringSubmatch(string(text), -1) {
		files, err := filepath.Glob(filepath.Join(match[1], "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var source []byte
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source = append(source, b...)
		}
		for name := range strings.SplitSeq(match[2], ", ") {
			named++
			if !bytes.Contains(source, []byte("func "+name+"(")) {
				t.Errorf("docs/threat-model.md names %s in %s, which is not there", name, match[1])
			}
		}
	}
	if named < 30 {
		t.Errorf("docs/threat-model.md names %d tests, want the table of them", named)
	}
	_, worst, _ := strings.Cut(string(text), "\n## If it is evil\n")
	worst, _, _ = strings.Cut(worst, "\n## ")
	parts := 0
	for line := range strings.Lines(worst) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| --- ") || strings.HasPrefix(line, "| part ") {
			continue
		}
		parts++
		if len(cells) != 3 || !cell.MatchString(cells[2]) {
			t.Errorf("docs/threat-model.md: of this part it does not say the worst and the test that shows it: %s", line)
		}
	}
	if parts < 20 {
		t.Errorf("docs/threat-model.md says of %d parts what the worst is if they are evil, want all", parts)
	}
}

// TestLicence keeps the licence file in the checkout: the binary is given away under it.
func TestLicence(t *testing.T) {
	info, err := os.Stat("LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() < 10_000 {
		t.Fatalf("LICENSE has %d bytes, want the whole Apache-2.0 text", info.Size())
	}
}
