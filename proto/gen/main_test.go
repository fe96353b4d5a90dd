package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestGeneratedFilesAreFresh fails when a .proto file and the Go code made of it disagree.
func TestGeneratedFilesAreFresh(t *testing.T) {
	for _, target := range targets {
		files, err := generate("../..", target)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Fatalf("%s generates no files", target.from)
		}
		for name, want := range files {
			path := filepath.Join("../..", name)
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s is stale: run `make generate`", path)
			}
		}
	}
}
