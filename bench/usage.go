package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// cpuTime gives the processor time that a process has used, its own and the kernel's for it.
func cpuTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time: %w", err)
	}
	// The second field is the command in parentheses and may hold anything; utime and stime are the 14th and 15th.
	rest := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(rest) < 13 {
		return 0, fmt.Errorf("reading the processor time: %d fields", len(rest))
	}
	var ticks int64
	for _, field := range rest[11:13] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// residentKiB gives the memory of a process that is in RAM (VmRSS).
func residentKiB(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the resident memory: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("reading the resident memory: %w", err)
			}
			return kib, nil
		}
	}
	return 0, fmt.Errorf("reading the resident memory: no VmRSS of process %d", pid)
}

// written gives the bytes that a process has sent to the disk so far.
func written(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the bytes written: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "write_bytes:"); ok {
			return strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
		}
	}
	return 0, fmt.Errorf("reading the bytes written: none of process %d", pid)
}

// usage is what a server and this program used: processor time of both, and what the server wrote.
type usage struct {
	server, generator time.Duration
	written           int64
}

func usageNow(server *process) (u usage, err error) {
	if u.server, err = cpuTime(server.pid); err != nil {
		return u, err
	}
	if u.written, err = written(server.pid); err != nil {
		return u, err
	}
	u.generator, err = cpuTime(os.Getpid())
	return u, err
}

func (u usage) since(before usage) usage {
	return usage{server: u.server - before.server, generator: u.generator - before.generator, written: u.written - before.written}
}

// usageDuring waits for the interval and measures what is used in it.
func (b *bench) usageDuring(server *process, i interval) (usage, error) {
	time.Sleep(time.Duration(i.from - b.clock.now()))
	before, err := usageNow(server)
	if err != nil {
		return usage{}, err
	}
	time.Sleep(i.left(b.clock))
	after, err := usageNow(server)
	return after.since(before), err
}

// perMessage gives microseconds for each of n; 0 where there are none.
func perMessage(used time.Duration, n uint64) float64 {
	if n == 0 {
		return 0
	}
	return float64(used.Nanoseconds()) / 1e3 / float64(n)
}
