package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Startup is how long a server takes from exec to its ready line, and the memory that it has then.
type Startup struct {
	// EmptySeconds is in an empty directory, where keys and database are made: the median and the longest of Starts.
	Starts           int     `json:"starts"`
	EmptySeconds     float64 `json:"empty_seconds"`
	EmptyMostSeconds float64 `json:"empty_most_seconds"`
	IdleKiB          int64   `json:"idle_rss_kib"`
	// DataSeconds is with the accounts, rooms and messages of this run, after a clean stop.
	DataSeconds float64 `json:"data_seconds"`
	DataIdleKiB int64   `json:"data_idle_rss_kib"`
	DataMiB     float64 `json:"data_mib"`
}

// measureStartup starts servers in empty directories, one after the other.
func (b *bench) measureStartup() (Startup, error) {
	var took []time.Duration
	var idle int64
	for i := range b.plan.starts {
		if err := b.start(filepath.Join(b.directory, "empty-"+strconv.Itoa(i))); err != nil {
			return Startup{}, err
		}
		took = append(took, b.server.toReady)
		if i == 0 {
			var err error
			if idle, err = b.settledKiB(b.plan.settle); err != nil {
				return Startup{}, err
			}
		}
		if err := b.stop(); err != nil {
			return Startup{}, err
		}
	}
	slices.Sort(took)
	return Startup{
		Starts: len(took), EmptySeconds: took[len(took)/2].Seconds(), EmptyMostSeconds: took[len(took)-1].Seconds(),
		IdleKiB: idle,
	}, nil
}

// restart stops the server, starts it again on its data, and adds what that says to the result.
func (b *bench) restart(result *Startup) error {
	if err := b.stop(); err != nil {
		return err
	}
	size, err := directorySize(b.data)
	if err != nil {
		return err
	}
	if err := b.start(b.data); err != nil {
		return err
	}
	result.DataSeconds = b.server.toReady.Seconds()
	result.DataMiB = float64(size) / (1 << 20)
	result.DataIdleKiB, err = b.settledKiB(b.plan.settle)
	return err
}

func directorySize(path string) (size int64, err error) {
	err = filepath.WalkDir(path, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		size += info.Size()
		return nil
	})
	return size, err
}
