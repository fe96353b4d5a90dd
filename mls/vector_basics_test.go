package mls

import (
	"testing"
)

func TestVectorsTreeMath(t *testing.T) {
	type vector struct {
		Leaves  uint32    `json:"n_leaves"`
		Nodes   int       `json:"n_nodes"`
		Root    nodeIndex `json:"root"`
		Left    []*nodeIndex
		Right   []*nodeIndex
		Parent  []*nodeIndex
		Sibling []*nodeIndex
	}
	nodes := 0
	vectors := readVectors[vector](t, "tree-math.json")
	for _, v := range vectors {
		if widthOf(v.Leaves) != v.Nodes || rootOf(v.Leaves) != v.Root {
			t.Fatalf("%d leaves: width %d, root %d; want %d, %d", v.Leaves, widthOf(v.Leaves), rootOf(v.Leaves), v.Nodes, v.Root)
		}
		check := func(what string, want *nodeIndex, got func() nodeIndex, exists bool) {
			if (want != nil) != exists || exists && got() != *want {
				t.Fatalf("%s in a tree of %d leaves is wrong", what, v.Leaves)
			}
		}
		for i := range v.Nodes {
			x := nodeIndex(i)
			check("left", v.Left[i], x.left, !x.isLeaf())
			check("right", v.Right[i], x.right, !x.isLeaf())
			check("parent", v.Parent[i], x.parent, x != v.Root)
			check("sibling", v.Sibling[i], x.sibling, x != v.Root)
			nodes++
		}
	}
	counted(t, "tree-math.json trees", len(vectors), 10)
	counted(t, "tree-math.json nodes", nodes, 2036)
}

func TestVectorsDeserialization(t *testing.T) {
	type vector struct {
		Header hexBytes `json:"vlbytes_header"`
		Length int      `json:"length"`
	}
	vectors := readVectors[vector](t, "deserialization.json")
	for _, v := range vectors {
		r := reader{b: v.Header}
		if got := r.length(); got != v.Length || r.end() != nil {
			t.Errorf("header %x is %d, want %d", v.Header, got, v.Length)
		}
		reencodes(t, "header", v.Header, func(w *writer) { w.length(v.Length) })
	}
	counted(t, "deserialization.json", len(vectors), 14)
}

type basicsVector struct {
	Suite   CipherSuite `json:"cipher_suite"`
	RefHash struct {
		Label      string
		Value, Out hexBytes
	} `json:"ref_hash"`
	Expand struct {
		Secret  hexBytes
		Label   string
		Context hexBytes
		Length  int
		Out     hexBytes
	} `json:"expand_with_label"`
	Derive struct {
		Secret hexBytes
		Label  string
		Out    hexBytes
	} `json:"derive_secret"`
	DeriveTree struct {
		Secret     hexBytes
		Label      string
		Generation uint32
		Length     int
		Out        hexBytes
	} `json:"derive_tree_secret"`
	Sign struct {
		Priv, Pub, Content hexBytes
		Label              string
		Signature          hexBytes
	} `json:"sign_with_label"`
	Encrypt struct {
		Priv, Pub  hexBytes
		Label      string
		Context    hexBytes
		Plaintext  hexBytes
		KEMOutput  hexBytes `json:"kem_output"`
		Ciphertext hexBytes
	} `json:"encrypt_with_label"`
}

func TestVectorsCryptoBasics(t *testing.T) {
	used := 0
	for _, v := range readVectors[basicsVector](t, "crypto-basics.json") {
		s := vectorSuite(t, v.Suite)
		if s == nil {
			continue
		}
		used++
		equal(t, "RefHash", s.refHash(v.RefHash.Label, v.RefHash.Value), v.RefHash.Out)
		equal(t, "ExpandWithLabel", s.expandWithLabel(Secret(v.Expand.Secret), v.Expand.Label, v.Expand.Context, v.Expand.Length), v.Expand.Out)
		equal(t, "DeriveSecret", s.deriveSecret(Secret(v.Derive.Secret), v.Derive.Label), v.Derive.Out)
		d := v.DeriveTree
		out := make([]byte, d.Length)
		s.deriveTreeSecret(out, Secret(d.Secret), d.Label, d.Generation)
		equal(t, "DeriveTreeSecret", out, d.Out)
		checkSignVector(t, s, &v)
		checkEncryptVector(t, s, &v)
	}
	counted(t, "crypto-basics.json suites", used, 5)
}

func checkSignVector(t *testing.T, s *suite, v *basicsVector) {
	if !s.verify(v.Sign.Pub, v.Sign.Label, v.Sign.Content, v.Sign.Signature) {
		t.Fatal("the signature does not verify")
	}
	signer := signerFrom(t, s, v.Sign.Priv)
	key, err := s.signerKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "public key", key, v.Sign.Pub)
	signature, err := s.sign(signer, v.Sign.Label, v.Sign.Content)
	if err != nil || !s.verify(v.Sign.Pub, v.Sign.Label, v.Sign.Content, signature) {
		t.Fatal("a fresh signature does not verify", err)
	}
	for n := range len(v.Sign.Signature) {
		if s.verify(v.Sign.Pub, v.Sign.Label, v.Sign.Content, v.Sign.Signature[:n]) {
			t.Fatalf("a signature cut to %d bytes verifies", n)
		}
	}
	if s.verify(v.Sign.Pub, v.Sign.Label+"x", v.Sign.Content, v.Sign.Signature) {
		t.Fatal("the signature verifies under another label")
	}
}

func checkEncryptVector(t *testing.T, s *suite, v *basicsVector) {
	key, err := hpkeFrom(t, s, v.Encrypt.Priv).hpkeKey(s)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "HPKE public key", key.PublicKey().Bytes(), v.Encrypt.Pub)
	plain, err := s.decrypt(key, v.Encrypt.Label, v.Encrypt.Context, hpkeCiphertext{v.Encrypt.KEMOutput, v.Encrypt.Ciphertext})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "plaintext", plain, v.Encrypt.Plaintext)
	public, err := s.publicKey(v.Encrypt.Pub)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := s.encrypt(public, v.Encrypt.Label, v.Encrypt.Context, v.Encrypt.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	plain, err = s.decrypt(key, v.Encrypt.Label, v.Encrypt.Context, sealed)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "plaintext sealed again", plain, v.Encrypt.Plaintext)
}

func TestVectorsSecretTree(t *testing.T) {
	type generation struct {
		Generation       uint32
		HandshakeKey     hexBytes `json:"handshake_key"`
		HandshakeNonce   hexBytes `json:"handshake_nonce"`
		ApplicationKey   hexBytes `json:"application_key"`
		ApplicationNonce hexBytes `json:"application_nonce"`
	}
	type vector struct {
		Suite      CipherSuite `json:"cipher_suite"`
		SenderData struct {
			Secret     hexBytes `json:"sender_data_secret"`
			Ciphertext hexBytes
			Key, Nonce hexBytes
		} `json:"sender_data"`
		EncryptionSecret hexBytes `json:"encryption_secret"`
		Leaves           [][]generation
	}
	trees, keys := 0, 0
	for _, v := range readVectors[vector](t, "secret-tree.json") {
		s := vectorSuite(t, v.Suite)
		if s == nil {
			continue
		}
		trees++
		key := s.senderDataKey(new(keyRoom), Secret(v.SenderData.Secret), v.SenderData.Ciphertext)
		equal(t, "sender data key", key.key, v.SenderData.Key)
		equal(t, "sender data nonce", key.nonce, v.SenderData.Nonce)
		tree := newSecretTree(s, uint32(len(v.Leaves)), Secret(v.EncryptionSecret))
		for i, leaf := range v.Leaves {
			for _, g := range leaf {
				for kind, want := range [][2]hexBytes{{g.HandshakeKey, g.HandshakeNonce}, {g.ApplicationKey, g.ApplicationNonce}} {
					use, err := tree.find(ratchetID{LeafIndex(i), ratchetKind(kind)}, g.Generation)
					if err != nil {
						t.Fatal(err)
					}
					equal(t, "key", use.key, want[0])
					equal(t, "nonce", use.nonce, want[1])
					use.spend()
					keys++
				}
			}
		}
		if len(tree.nodes) != 0 {
			t.Errorf("%d secrets are left in a tree whose leaves are all used", len(tree.nodes))
		}
	}
	counted(t, "secret-tree.json trees", trees, 15)
	counted(t, "secret-tree.json keys", keys, 820)
}
