package mls_test

import (
	"crypto/ed25519"
	"fmt"
	"log"
	"time"

	"snug/mls"
)

// anyone is a verifier for an example. A real one looks the credential up in a directory that it trusts, and checks that it names this
// signature key.
type anyone struct{}

func (anyone) VerifyMember(mls.Member) error               { return nil }
func (anyone) VerifySuccession(old, next mls.Member) error { return nil }

// Alice creates a group, adds Bob, and they talk.
func Example() {
	_, aliceKey, _ := ed25519.GenerateKey(nil)
	_, bobKey, _ := ed25519.GenerateKey(nil)
	config := func(key ed25519.PrivateKey) mls.Config {
		return mls.Config{Verifier: anyone{}, Policy: mls.AllowAll, Signer: key}
	}

	// Bob publishes a key package that is good for three months, and keeps its secret half. It begins an hour ago, for those whose
	// clocks are slow.
	now := time.Now()
	keyPackage, private, err := mls.NewKeyPackage(mls.KeyPackageOptions{
		Credential: mls.BasicCredential([]byte("bob")), Signer: bobKey,
		Lifetime: mls.Lifetime{NotBefore: uint64(now.Add(-time.Hour).Unix()), NotAfter: uint64(now.AddDate(0, 3, 0).Unix())},
	})
	if err != nil {
		log.Fatal(err)
	}

	// Alice makes the group. The commit that adds Bob is merged once the server has accepted its message; with
	// nobody else in the group, that is at once.
	alice, err := mls.NewGroup(config(aliceKey), mls.CreateOptions{Credential: mls.BasicCredential([]byte("alice"))})
	if err != nil {
		log.Fatal(err)
	}
	commit, err := alice.Commit(mls.CommitOptions{ByValue: []mls.Proposal{&mls.Add{KeyPackage: keyPackage}}, Now: now})
	if err != nil {
		log.Fatal(err)
	}
	if err := alice.Merge(commit); err != nil {
		log.Fatal(err)
	}

	// Bob joins with the Welcome.
	bob, err := mls.Join(config(bobKey), commit.Welcome(), func(ref mls.KeyPackageRef) *mls.KeyPackagePrivate {
		if ref == keyPackage.Ref() {
			return private
		}
		return nil
	}, mls.JoinOptions{Now: now})
	if err != nil {
		log.Fatal(err)
	}

	// They talk. Before a message leaves the device, save alice.Delta.
	message, err := alice.Seal([]byte("Hello, Bob"), nil)
	if err != nil {
		log.Fatal(err)
	}
	result, err := bob.Process(message)
	if err != nil {
		log.Fatal(err)
	}
	switch r := result.(type) {
	case *mls.ApplicationMessage:
		fmt.Printf("%s: %s\n", r.Sender.Credential.Identity, r.Data)
	case *mls.StagedCommit:
		err = bob.Merge(r)
	}
	// Output: alice: Hello, Bob
}

// Carol joins a group by a commit of her own, as a device does that nobody is there to add.
func ExampleJoinExternally() {
	config := func() mls.Config {
		_, key, _ := ed25519.GenerateKey(nil)
		return mls.Config{Verifier: anyone{}, Policy: mls.AllowAll, Signer: key, ExternalCommits: true}
	}
	alice, err := mls.NewGroup(config(), mls.CreateOptions{Credential: mls.BasicCredential([]byte("alice"))})
	if err != nil {
		log.Fatal(err)
	}
	// Whoever has the GroupInfo can try: publish it to those who may.
	info, err := alice.GroupInfo()
	if err != nil {
		log.Fatal(err)
	}

	join, err := mls.JoinExternally(config(), info, mls.ExternalOptions{Credential: mls.BasicCredential([]byte("carol"))})
	if err != nil {
		log.Fatal(err)
	}
	// Carol saves join.Save before join.Message leaves her device. Alice follows when the server has accepted it.
	result, err := alice.Process(join.Message())
	if err != nil {
		log.Fatal(err)
	}
	commit := result.(*mls.StagedCommit)
	fmt.Printf("%s joins\n", commit.Sender().Credential.Identity)
	if err := alice.Merge(commit); err != nil {
		log.Fatal(err)
	}

	// And so does Carol.
	carol := join.Group()
	message, err := alice.Seal([]byte("Hello, Carol"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if result, err = carol.Process(message); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", result.(*mls.ApplicationMessage).Data)
	// Output:
	// carol joins
	// Hello, Carol
}
