package mls

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The words of command in RFC 9420 by section, as counted in its source.
var commandWords = map[string]int{
	"2": 1, "2.1.1": 1, "2.1.2": 3, "5.1.2": 1, "5.3": 1, "5.3.1": 2, "5.3.3": 1, "6": 1, "6.1": 7, "6.2": 3, "6.3.1": 8,
	"6.3.2": 2, "7.1": 1, "7.2": 7, "7.3": 2, "7.5": 3, "7.6": 2, "7.8": 1, "7.9.2": 2, "8.4": 2, "9.1": 1, "9.2": 2, "10": 8,
	"11": 2, "11.2": 5, "11.3": 6, "12.1": 1, "12.1.4": 1, "12.1.8": 3, "12.2": 4, "12.3": 3, "12.4": 4, "12.4.1": 5, "12.4.2": 3,
	"12.4.3": 4, "12.4.3.1": 2, "12.4.3.2": 6, "12.4.3.3": 4, "13.2": 1, "13.4": 10, "13.5": 6, "14": 4, "15.2": 2, "16.3": 1,
	"16.7": 1, "17.1": 3, "17.9": 1,
}

// A source is what the package declares, as far as the document speaks of it.
type source struct {
	// declared has "file.go name", where a method's name is Type.method.
	declared map[string]bool
	// tests has the file of each test.
	tests map[string]string
	// texts has the string literals of each test file.
	texts map[string][]string
	// rules has the section of each rule that the code names.
	rules map[string]string
}

func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{make(map[string]bool), make(map[string]string), make(map[string][]string), make(map[string]string)}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			s.declare(name, d)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && strings.HasSuffix(name, "_test.go") {
				s.texts[name] = append(s.texts[name], literal(lit))
			}
			if call, ok := n.(*ast.CallExpr); ok && !strings.HasSuffix(name, "_test.go") {
				s.rule(call)
			}
			return true
		})
	}
	return s
}

func (s *source) declare(file string, d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			e := d.Recv.List[0].Type
			if p, ok := e.(*ast.StarExpr); ok {
				e = p.X
			}
			name = e.(*ast.Ident).Name + "." + name
		}
		s.declared[file+" "+name] = true
		if strings.HasSuffix(file, "_test.go") && (strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")) {
			s.tests[name] = file
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				s.declared[file+" "+spec.Name.Name] = true
			case *ast.ValueSpec:
				s.declared[file+" "+spec.Names[0].Name] = true
			}
		}
	}
}

// rule notes the rule of a call of invalid or refused.
func (s *source) rule(call *ast.CallExpr) {
	f, ok := call.Fun.(*ast.Ident)
	if !ok {
		return
	}
	text := func(i int) string {
		lit, ok := call.Args[i].(*ast.BasicLit)
		if !ok {
			return fmt.Sprintf("a rule in other words than constant ones, %s", f.Name)
		}
		return literal(lit)
	}
	switch f.Name {
	case "invalid":
		s.rules[text(1)] = text(0)
	case "refused":
		s.rules[text(0)] = ""
	}
}

func literal(lit *ast.BasicLit) string {
	text, err := strconv.Unquote(lit.Value)
	if err != nil {
		return ""
	}
	return text
}

// tableRows reads the rows of all tables with this many columns that begin with an id, or with a name if there are three.
func tableRows(t *testing.T) (rules, names [][]string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "mls-rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| id ") || strings.HasPrefix(line, "| name ") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch len(cells) {
		case 4:
			rules = append(rules, cells)
		case 3:
			names = append(names, cells)
		default:
			t.Errorf("a row of %d cells: %s", len(cells), line)
		}
	}
	return rules, names
}

var (
	ruleID     = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)*)-([0-9]+|[a-z])$`)
	codeOf     = regexp.MustCompile("^`([a-z]+\\.go)` (.+)$")
	reasonless = regexp.MustCompile(`^(application|caller|registry|hole): .{8,}`)
)

// TestRules holds docs/mls-rules.md against the code and the tests that it names.
func TestRules(t *testing.T) {
	s := readSource(t)
	rules, _ := tableRows(t)
	seen := make(map[string]bool)
	counts, holes := make(map[string]int), 0
	for _, row := range rules {
		m := ruleID.FindStringSubmatch(row[0])
		if m == nil || seen[row[0]] || len(row[1]) < 8 {
			t.Errorf("%s: an id of another form, or there twice, or without a rule", row[0])
			continue
		}
		seen[row[0]] = true
		if m[2] >= "a" {
			if want := string(rune('a' + counts[m[1]+" steps"])); m[2] != want {
				t.Errorf("%s: want %s-%s next", row[0], m[1], want)
			}
			counts[m[1]+" steps"]++
		} else {
			counts[m[1]]++
			if m[2] != strconv.Itoa(counts[m[1]]) {
				t.Errorf("%s: want %s-%d next", row[0], m[1], counts[m[1]])
			}
		}
		s.checkRow(t, row)
		if strings.Contains(row[3], "hole: ") {
			holes++
		}
	}
	total := 0
	for section, want := range commandWords {
		total += want
		if counts[section] != want {
			t.Errorf("Section %s: %d rules, want %d", section, counts[section], want)
		}
	}
	t.Logf("%d words of command, %d other steps, %d holes", total, len(seen)-total, holes)
	if total != 144 {
		t.Errorf("%d words of command, want 144", total)
	}
}

// checkRow checks that what a row names is there, and that it has a test or a reason.
func (s *source) checkRow(t *testing.T, row []string) {
	t.Helper()
	if row[2] != "" {
		for part := range strings.SplitSeq(row[2], "; ") {
			m := codeOf.FindStringSubmatch(part)
			if m == nil {
				t.Errorf("%s: %q does not name code", row[0], part)
				continue
			}
			for name := range strings.SplitSeq(m[2], ", ") {
				if !s.declared[m[1]+" "+name] {
					t.Errorf("%s: there is no %s in %s", row[0], name, m[1])
				}
			}
		}
	}
	tests, reason, _ := strings.Cut(row[3], "; ")
	if reasonless.MatchString(row[3]) {
		tests, reason = "", row[3]
	}
	switch {
	case tests == "" && reason == "":
		t.Errorf("%s: neither a test nor a reason", row[0])
	case reason != "" && !reasonless.MatchString(reason):
		t.Errorf("%s: %q is no reason", row[0], reason)
	case tests != "" && row[2] == "":
		t.Errorf("%s: a test of no code", row[0])
	}
	if tests == "" {
		return
	}
	for name := range strings.SplitSeq(tests, ", ") {
		if s.tests[name] == "" {
			t.Errorf("%s: there is no %s", row[0], name)
		}
	}
}

// TestRuleNames holds the names of rules in the code against those in docs/mls-rules.md, and these against the tests: the file of a
// rule's test has its name in it.
func TestRuleNames(t *testing.T) {
	s := readSource(t)
	rules, names := tableRows(t)
	listed := make(map[string]bool)
	for _, row := range names {
		name := row[0]
		section, known := s.rules[name]
		if !known || listed[name] {
			t.Errorf("the code has no rule %q, or it is here twice", name)
		}
		listed[name] = true
		if row[1] == "" && section != "" {
			t.Errorf("%q is of no id, and of Section %s in the code", name, section)
		}
		if row[1] != "" && !slices.ContainsFunc(rules, func(r []string) bool { return r[0] == row[1] }) {
			t.Errorf("%q is of %s, which is not here", name, row[1])
		}
		for test := range strings.SplitSeq(row[2], ", ") {
			if file := s.tests[test]; file == "" || !slices.Contains(s.texts[file], name) {
				t.Errorf("%q: %s does not look for it", name, test)
			}
		}
	}
	for name := range s.rules {
		if !listed[name] {
			t.Errorf("the rule %q of the code is not in docs/mls-rules.md", name)
		}
	}
	t.Logf("%d names", len(names))
}
