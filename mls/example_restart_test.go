package mls_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log"
	"maps"

	"snug/mls"
)

// directory is a verifier that knows each person's key from elsewhere.
type directory map[string]ed25519.PublicKey

func (d directory) VerifyMember(m mls.Member) error {
	key := d[string(m.Credential.Identity)]
	if m.Credential.Type != mls.CredentialBasic || key == nil || !bytes.Equal(key, m.SignatureKey) {
		return errors.New("not the key of who it says that it is")
	}
	return nil
}

func (d directory) VerifySuccession(old, next mls.Member) error {
	if !old.Credential.Equal(next.Credential) {
		return errors.New("a member becomes somebody else")
	}
	return d.VerifyMember(next)
}

// write does what a database does in one transaction.
func write(records map[string][]byte, d mls.Delta) {
	for _, r := range d.Puts {
		records[r.Key] = r.Value
	}
	for _, key := range d.Deletes {
		delete(records, key)
	}
}

// Alice writes down what she needs before anything leaves her device, and goes on after a restart where she was.
func ExampleGroup_Delta() {
	public, signer, _ := ed25519.GenerateKey(nil)
	config := mls.Config{Verifier: directory{"alice": public}, Policy: mls.AllowAll, Signer: signer}
	alice, err := mls.NewGroup(config, mls.CreateOptions{Credential: mls.BasicCredential([]byte("alice"))})
	if err != nil {
		log.Fatal(err)
	}
	records := make(map[string][]byte)
	write(records, alice.Delta())

	// A candidate is saved beside the group, and its message is sent.
	commit, err := alice.Commit(mls.CommitOptions{})
	if err != nil {
		log.Fatal(err)
	}
	candidate := commit.Save()

	// After a restart the server says that the commit has won.
	if alice, err = mls.LoadGroup(config, maps.All(records)); err != nil {
		log.Fatal(err)
	}
	if commit, err = mls.LoadStagedCommit(alice, candidate); err != nil {
		log.Fatal(err)
	}
	if err := alice.Merge(commit); err != nil {
		log.Fatal(err)
	}
	// In one transaction: the new epoch is written, and the candidate deleted.
	write(records, alice.Delta())

	// The key of a message is written off before the message is sent. Were it the other way round, a crash in between would have two
	// messages sealed with one key.
	if _, err := alice.Seal([]byte("Hello"), nil); err != nil {
		log.Fatal(err)
	}
	changed := alice.Delta()
	write(records, changed)
	fmt.Println("epoch", alice.Epoch())
	fmt.Println("nothing left to write:", alice.Delta().Empty())
	fmt.Println("a record prints as", changed.Puts[0].Value)
	// Merging it again is refused.
	fmt.Println(alice.Merge(commit))
	// Output:
	// epoch 1
	// nothing left to write: true
	// a record prints as secret
	// mls: the staged commit is not for this epoch
}
