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

// cpuUse is processor time used in an interval, by a server and by this program.
type cpuUse struct{ server, generator time.Duration }

func cpuNow(server *process) (use cpuUse, err error) {
	if use.server, err = cpuTime(server.pid); err != nil {
		return use, err
	}
	use.generator, err = cpuTime(os.Getpid())
	return use, err
}

// cpuDuring waits for the interval and measures the processor time used in it.
func (b *bench) cpuDuring(server *process, i interval) (cpuUse, error) {
	time.Sleep(time.Duration(i.from - b.clock.now()))
	before, err := cpuNow(server)
	if err != nil {
		return cpuUse{}, err
	}
	time.Sleep(i.left(b.clock))
	after, err := cpuNow(server)
	return cpuUse{server: after.server - before.server, generator: after.generator - before.generator}, err
}

// perMessage gives microseconds for each of n; 0 where there are none.
func perMessage(used time.Duration, n uint64) float64 {
	if n == 0 {
		return 0
	}
	return float64(used.Nanoseconds()) / 1e3 / float64(n)
}
