package testkit_test

import (
	"testing"

	"snug/client"
	"snug/internal/testkit"
)

func TestMemoryStore(t *testing.T) {
	testkit.TestClientStore(t, func(t *testing.T) func() client.Store {
		disk := testkit.NewDisk()
		return func() client.Store { return disk.Open() }
	})
}
