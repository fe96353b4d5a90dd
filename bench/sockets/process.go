package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Places of fields in /proc/PID/stat, counted from the state, which follows the name (proc_pid_stat(5)).
const (
	statGroup    = 2
	statUser     = 11 // and system, and both of the children that were waited for
	statChildren = 14
	statPages    = 21
)

// tick is the unit of times in /proc, whatever the kernel itself counts in.
const tick = time.Second / 100

// each calls use with what the system says of every process of the tool, those that it has started included.
func (t *tool) each(use func(fields []string)) error {
	groups := make(map[int]bool)
	for _, cmd := range t.processes {
		groups[cmd.Process.Pid] = true
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return errors.New("no /proc to read from")
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// The name may have anything in it.
		_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')'):]), " ")
		fields := strings.Fields(rest)
		if len(fields) <= statPages {
			continue
		}
		if group, _ := strconv.Atoi(fields[statGroup]); groups[group] {
			use(fields)
		}
	}
	return nil
}

// resident gives the bytes of resident memory of both ends.
func (t *tool) resident() (bytes int64, err error) {
	err = t.each(func(fields []string) {
		n, _ := strconv.ParseInt(fields[statPages], 10, 64)
		bytes += n * int64(os.Getpagesize())
	})
	return bytes, err
}

// spent gives the processor time, user and system, that both ends have taken so far.
func (t *tool) spent() (time.Duration, error) {
	var ticks int64
	err := t.each(func(fields []string) {
		for _, field := range fields[statUser : statChildren+1] {
			n, _ := strconv.ParseInt(field, 10, 64)
			ticks += n
		}
	})
	return time.Duration(ticks) * tick, err
}

// ourSpent gives the same of this process: the generator's and the backend's part.
func ourSpent() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
