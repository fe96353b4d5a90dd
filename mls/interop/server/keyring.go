package server

import (
	"bytes"
	"fmt"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"snug/mls"
)

// maxExternal is how many external pre-shared keys a keyring takes.
const maxExternal = 1024

// A keyring holds the pre-shared keys of a member.
type keyring struct {
	mu       sync.Mutex
	external map[string]mls.Secret
	// resumption is by group and epoch; order is the names in it, the oldest first.
	resumption map[string]mls.Secret
	order      []string
}

func newKeyring() *keyring {
	return &keyring{external: make(map[string]mls.Secret), resumption: make(map[string]mls.Secret)}
}

func resumptionName(groupID []byte, epoch uint64) string { return fmt.Sprintf("%d %x", epoch, groupID) }

func (k *keyring) addExternal(id, secret []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.external) >= maxExternal {
		return status.Error(codes.ResourceExhausted, "as many pre-shared keys are held as may be")
	}
	k.external[string(id)] = bytes.Clone(secret)
	return nil
}

func (k *keyring) addResumption(groupID []byte, epoch uint64, secret mls.Secret) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := resumptionName(groupID, epoch)
	if _, ok := k.resumption[name]; !ok {
		k.order = append(k.order, name)
	}
	k.resumption[name] = secret
	if len(k.order) > maxResumption {
		delete(k.resumption, k.order[0])
		k.order = k.order[1:]
	}
}

// find is for mls.Config.
func (k *keyring) find(id mls.PreSharedKeyID) (mls.Secret, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if id.Type == mls.PSKExternal {
		return k.external[string(id.ID)], nil
	}
	return k.resumption[resumptionName(id.GroupID, id.Epoch)], nil
}
