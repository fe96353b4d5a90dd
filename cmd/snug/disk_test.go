package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFullDisk fills the disk under a running server. What cannot be stored is refused, what was acknowledged stays, and
// with room on the disk again everything goes on, without a restart.
func TestFullDisk(t *testing.T) {
	if err := exec.Command("unshare", "-rm", "true").Run(); err != nil {
		if os.Getenv("SNUG_REQUIRE") != "" {
			t.Fatalf("unshare -rm: %v", err)
		}
		t.Skip("SKIPPED: a small disk takes `unshare -rm` (util-linux, and user namespaces allowed)")
	}
	s := &server{t: t, data: filepath.Join(t.TempDir(), "data"), log: new(lockedBuffer), TLS: "127.0.0.1:0", HTTP: "127.0.0.1:0"}
	if err := os.Mkdir(s.data, 0o700); err != nil {
		t.Fatal(err)
	}
	s.wrap = []string{"unshare", "-rm", "sh", "-c", `mount -t tmpfs -o size=12m,mode=700 none "$0" && exec "$@"`, s.data}
	s.start()
	t.Cleanup(s.kill)
	people := everybody(t, s, "alice", "bob")
	alice, bob := people[0], people[1]
	alice.must("send", "@bob", "before")

	filler := filepath.Join("/proc", fmt.Sprint(s.cmd.Process.Pid), "root", s.data, "filler")
	fill(t, filler)
	refused := 0
	for i := range 200 {
		o := alice.try("", "send", "@bob", fmt.Sprintf("message %d %s", i, strings.Repeat("x", 20_000)), "--timeout", "5s")
		if o.status == 0 {
			continue
		}
		refused++
		if !strings.Contains(o.stderr, "full") {
			t.Errorf("send on a full disk: exit %d, %q, want the full disk named", o.status, o.stderr)
		}
		break
	}
	if refused == 0 {
		t.Fatal("200 messages of 20 KB were accepted on a full disk")
	}
	// Others are answered all the same.
	if got := len(bob.must("users")); got != 2 {
		t.Errorf("bob sees %d people, want 2", got)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	alice.must("send", "@bob", "after")
	hers, his := alice.must("history", "@bob", "--limit", "500"), bob.must("history", "@alice", "--limit", "500")
	if last := his[len(his)-1]["text"]; last != "after" {
		t.Errorf("bob reads %.40q last, want what was sent after", last)
	}
	delivered := func(objects []map[string]any) []map[string]any {
		var texts []map[string]any
		for _, m := range objects {
			if _, failed := m["state"]; m["text"] != nil && !failed {
				texts = append(texts, m)
			}
		}
		return texts
	}
	sameTexts(t, delivered(hers), delivered(his))
}

// fill writes until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 1<<10; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
