package progress_test

import (
	"bytes"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"snug/internal/progress"
)

// TestShow plays a stream by a clock of its own, and reads the lines.
func TestShow(t *testing.T) {
	const second = 1 << 20
	for _, row := range []struct {
		name string
		size int64
		// moved is what is received and sent in each half of a second.
		moved [][2]int64
		quiet bool
		want  []string
	}{
		{"sending what has a size", 10 * second, [][2]int64{{0, second}, {0, second}, {0, second / 2}}, false, []string{
			"1.00 MiB of 10.0 MiB sent, 2.00 MiB/s, 0:05 left",
			"2.00 MiB of 10.0 MiB sent, 2.00 MiB/s, 0:04 left",
			"2.50 MiB of 10.0 MiB sent, 1.67 MiB/s, 0:05 left",
		}},
		{"sending what has none", -1, [][2]int64{{0, 100}, {0, 100}}, false, []string{"100 B sent, 200 B/s", "200 B sent, 200 B/s"}},
		{"receiving", -1, [][2]int64{{0, 0}, {second, 0}}, false, []string{"0 B received, 0 B/s", "1.00 MiB received, 1.00 MiB/s"}},
		{"both", -1, [][2]int64{{500, 1000}}, false, []string{"500 B received, 0.98 KiB sent, 2.93 KiB/s"}},
		{"a file that grows", 10, [][2]int64{{0, 11}}, false, []string{"11 B sent, 22 B/s"}},
		{"a long way", 36000 * 100, [][2]int64{{0, 50}}, false, []string{"50 B of 3.43 MiB sent, 100 B/s, 10:00:00 left"}},
		{"standing still", 1000, [][2]int64{{0, 1}, {0, 0}, {0, 0}}, false, []string{
			"1 B of 0.98 KiB sent, 2 B/s, 8:20 left", "1 B of 0.98 KiB sent, 1 B/s, 16:39 left", "1 B of 0.98 KiB sent, 0 B/s, 24:59 left",
		}},
		{"too long a way", math.MaxInt64, [][2]int64{{0, 50}}, false, []string{"50 B of 8.00 EiB sent, 100 B/s"}},
		{"somebody talks there", -1, [][2]int64{{1, 1}, {1, 1}}, true, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var received, sent atomic.Int64
				var out bytes.Buffer
				stop := progress.Show(&out, progress.Stream{
					Moved: func() (int64, int64) { return received.Load(), sent.Load() },
					Size:  row.size,
					Quiet: func() bool { return row.quiet },
				})
				time.Sleep(time.Millisecond)
				for _, moved := range row.moved {
					received.Add(moved[0])
					sent.Add(moved[1])
					time.Sleep(500 * time.Millisecond)
				}
				stop()
				want := ""
				for _, line := range row.want {
					want += "\r\x1b[Ksnug: " + line
				}
				if want != "" {
					want += "\r\x1b[K"
				}
				if got := out.String(); got != want {
					t.Errorf("got  %q\nwant %q", got, want)
				}
			})
		})
	}
}

// TestNarrow: on a terminal that is too narrow for all of it the line is shorter, and never two.
func TestNarrow(t *testing.T) {
	for _, row := range []struct {
		width int
		want  string
	}{
		{0, "snug: 10 B received, 512 B of 0.98 KiB sent, 1.02 KiB/s, 0:01 left"},
		{67, "snug: 10 B received, 512 B of 0.98 KiB sent, 1.02 KiB/s, 0:01 left"},
		{66, "snug: 10 B received, 512 B of 0.98 KiB sent, 1.02 KiB/s"},
		{50, "snug: 10 B received, 512 B of 0.98 KiB sent"},
		{30, "snug: 10 B received"},
		{8, "snug: 1"},
		{1, "snug: 10 B received, 512 B of 0.98 KiB sent, 1.02 KiB/s, 0:01 left"}, // no width at all
	} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			stop := progress.Show(&out, progress.Stream{
				Moved: func() (int64, int64) { return 10, 512 },
				Size:  1000,
				Width: func() int { return row.width },
			})
			time.Sleep(750 * time.Millisecond)
			stop()
			if got, want := out.String(), "\r\x1b[K"+row.want+"\r\x1b[K"; got != want {
				t.Errorf("%d columns:\ngot  %q\nwant %q", row.width, got, want)
			}
		})
	}
}

// TestBytes: three digits, and never four.
func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "0.98 KiB", 1024: "1.00 KiB", 10229: "9.99 KiB", 10240: "10.0 KiB", 102400: "100 KiB",
		10239: "10.0 KiB", 1023487: "999 KiB", 1023999: "0.98 MiB", 1 << 40: "1.00 TiB", math.MaxInt64: "8.00 EiB",
	} {
		got := progress.Bytes(n)
		if got != want || len(strings.TrimRight(strings.ReplaceAll(got, ".", ""), " KMGTPEiB")) > 3 {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
