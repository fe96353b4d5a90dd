package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// DiskBound is how often the disk can make appended data durable: what no server that syncs before an ack can pass
// without gathering messages.
type DiskBound struct {
	// SyncsPerSecond is of appending one message and fdatasync, again and again.
	SyncsPerSecond float64 `json:"syncs_per_second"`
	// BatchedPerSecond is of appending diskBatch messages and one fdatasync, counted in messages.
	BatchedPerSecond float64 `json:"batched_messages_per_second"`
}

// diskBatch is how many messages the second measurement gathers.
const diskBatch = 64

// measureDisk appends messages of the given size to a file in the directory, for a while each way.
func measureDisk(directory string, size int, during time.Duration) (DiskBound, error) {
	one, err := syncRate(directory, make([]byte, size), during)
	if err != nil {
		return DiskBound{}, err
	}
	many, err := syncRate(directory, make([]byte, size*diskBatch), during)
	return DiskBound{SyncsPerSecond: one, BatchedPerSecond: many * diskBatch}, err
}

func syncRate(directory string, chunk []byte, during time.Duration) (rate float64, err error) {
	path := filepath.Join(directory, "disk-bound")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return 0, fmt.Errorf("measuring the disk: %w", err)
	}
	defer os.Remove(path)
	defer f.Close()
	begin := time.Now()
	var n int
	for time.Since(begin) < during {
		if _, err := f.Write(chunk); err != nil {
			return 0, fmt.Errorf("measuring the disk: %w", err)
		}
		if err := datasync(f); err != nil {
			return 0, fmt.Errorf("measuring the disk: %w", err)
		}
		n++
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}
