package mls_test

import (
	"fmt"
	"testing"

	"snug/mls"
)

var benchSizes = []int{2, 100, 1000}

// benchGroup makes a group of n members by one commit, and returns its creator and the last that joined.
func benchGroup(b *testing.B, suite mls.CipherSuite, n int) (alice, last *device) {
	b.Helper()
	alice = newDevice(b, suite, "alice")
	alice.reload = false
	alice.create(nil)
	var opts mls.CommitOptions
	for i := range n - 1 {
		last = newDevice(b, suite, fmt.Sprint(i))
		last.reload = false
		opts.ByValue = append(opts.ByValue, &mls.Add{KeyPackage: last.keyPackage()})
	}
	c := alice.commit(opts)
	alice.merge(c)
	last.join(c.Welcome())
	return alice, last
}

// filledGroup makes a group of n members in which each has added the next, so that no node above them is blank. It returns the last
// two.
func filledGroup(b *testing.B, suite mls.CipherSuite, n int) (alice, last *device) {
	b.Helper()
	last = newDevice(b, suite, "0")
	last.reload = false
	last.create(nil)
	for i := range n - 1 {
		alice = last
		last = newDevice(b, suite, fmt.Sprint(i+1))
		last.reload = false
		c := alice.commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: last.keyPackage()}}})
		alice.merge(c)
		last.join(c.Welcome())
	}
	return alice, last
}

// BenchmarkFilled renews and follows a path in a tree whose nodes are all set: the usual case.
func BenchmarkFilled(b *testing.B) {
	for _, suite := range []mls.CipherSuite{1, mls.DefaultSuite} {
		for _, n := range []int{2, 100} {
			alice, last := filledGroup(b, suite, n)
			c := alice.commit(mls.CommitOptions{})
			b.Run(fmt.Sprintf("suite=%#x/n=%d/commit", uint16(suite), n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := alice.group.Clone().Commit(mls.CommitOptions{}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("suite=%#x/n=%d/process", uint16(suite), n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := last.group.Process(c.Message()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func forSizes(b *testing.B, f func(b *testing.B, suite mls.CipherSuite, n int)) {
	for _, suite := range []mls.CipherSuite{1, mls.DefaultSuite} {
		for _, n := range benchSizes {
			b.Run(fmt.Sprintf("suite=%#x/n=%d", uint16(suite), n), func(b *testing.B) {
				b.ReportAllocs()
				f(b, suite, n)
			})
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	text := make([]byte, 1024)
	forSizes(b, func(b *testing.B, suite mls.CipherSuite, n int) {
		alice, _ := benchGroup(b, suite, n)
		for b.Loop() {
			if _, err := alice.group.Seal(text, nil); err != nil {
				b.Fatal(err)
			}
			alice.group.Delta()
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	text := make([]byte, 1024)
	forSizes(b, func(b *testing.B, suite mls.CipherSuite, n int) {
		alice, last := benchGroup(b, suite, n)
		for b.Loop() {
			b.StopTimer()
			m, err := alice.group.Seal(text, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if _, err := last.group.Process(m); err != nil {
				b.Fatal(err)
			}
			last.group.Delta()
		}
	})
}

// BenchmarkCommit renews the path of a member in a tree that was just created: the worst case, an encryption to every leaf.
func BenchmarkCommit(b *testing.B) {
	forSizes(b, func(b *testing.B, suite mls.CipherSuite, n int) {
		alice, _ := benchGroup(b, suite, n)
		for b.Loop() {
			if _, err := alice.group.Clone().Commit(mls.CommitOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkProcess(b *testing.B) {
	forSizes(b, func(b *testing.B, suite mls.CipherSuite, n int) {
		alice, last := benchGroup(b, suite, n)
		c := alice.commit(mls.CommitOptions{})
		b.SetBytes(int64(len(c.Message())))
		for b.Loop() {
			if _, err := last.group.Process(c.Message()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkJoin(b *testing.B) {
	forSizes(b, func(b *testing.B, suite mls.CipherSuite, n int) {
		alice, _ := benchGroup(b, suite, n)
		eve := newDevice(b, suite, "eve")
		c := alice.commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: eve.keyPackage()}}})
		for b.Loop() {
			if _, err := mls.Join(eve.config(), c.Welcome(), eve.find, mls.JoinOptions{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
