package mls

import "testing"

func TestVectorsKeySchedule(t *testing.T) {
	type epochVector struct {
		TreeHash                hexBytes `json:"tree_hash"`
		CommitSecret            hexBytes `json:"commit_secret"`
		PSKSecret               hexBytes `json:"psk_secret"`
		ConfirmedTranscriptHash hexBytes `json:"confirmed_transcript_hash"`
		GroupContext            hexBytes `json:"group_context"`
		JoinerSecret            hexBytes `json:"joiner_secret"`
		WelcomeSecret           hexBytes `json:"welcome_secret"`
		InitSecret              hexBytes `json:"init_secret"`
		SenderDataSecret        hexBytes `json:"sender_data_secret"`
		EncryptionSecret        hexBytes `json:"encryption_secret"`
		ExporterSecret          hexBytes `json:"exporter_secret"`
		EpochAuthenticator      hexBytes `json:"epoch_authenticator"`
		ExternalSecret          hexBytes `json:"external_secret"`
		ConfirmationKey         hexBytes `json:"confirmation_key"`
		MembershipKey           hexBytes `json:"membership_key"`
		ResumptionPSK           hexBytes `json:"resumption_psk"`
		ExternalPub             hexBytes `json:"external_pub"`
		Exporter                struct {
			Label   string
			Context hexBytes
			Length  int
			Secret  hexBytes
		}
	}
	type vector struct {
		Suite             CipherSuite `json:"cipher_suite"`
		GroupID           hexBytes    `json:"group_id"`
		InitialInitSecret hexBytes    `json:"initial_init_secret"`
		Epochs            []epochVector
	}
	used := 0
	for _, v := range readVectors[vector](t, "key-schedule.json") {
		s := vectorSuite(t, v.Suite)
		if s == nil {
			continue
		}
		init := initSecret{Secret(v.InitialInitSecret)}
		for i, e := range v.Epochs {
			context := groupContext{suite: v.Suite, groupID: v.GroupID, epoch: uint64(i), treeHash: e.TreeHash, confirmedTranscriptHash: e.ConfirmedTranscriptHash}
			equal(t, "group context", context.marshal(), e.GroupContext)
			r := reader{b: e.GroupContext}
			decoded := decodeGroupContext(&r)
			reencodes(t, "group context", e.GroupContext, decoded.encode)
			joiner := s.joiner(init, commitSecret{Secret(e.CommitSecret)}, e.GroupContext)
			equal(t, "joiner_secret", joiner.Secret, e.JoinerSecret)
			member := s.member(joiner, Secret(e.PSKSecret))
			equal(t, "welcome_secret", s.deriveSecret(member.Secret, "welcome"), e.WelcomeSecret)
			secrets, encryption := s.deriveEpoch(s.epochSecret(member, e.GroupContext))
			want := []hexBytes{e.SenderDataSecret, e.ExporterSecret, e.ExternalSecret, e.ConfirmationKey, e.MembershipKey,
				e.ResumptionPSK, e.EpochAuthenticator, e.InitSecret}
			for k, secret := range secrets.all() {
				equal(t, "an epoch secret", *secret, want[k])
			}
			equal(t, "encryption_secret", encryption, e.EncryptionSecret)
			external, err := s.deriveKey(secrets.external)
			if err != nil {
				t.Fatal(err)
			}
			public, _ := external.public(s)
			equal(t, "external_pub", public, e.ExternalPub)
			x := e.Exporter
			equal(t, "exporter", s.export(secrets.exporter, x.Label, x.Context, x.Length), x.Secret)
			init = secrets.init
			used++
		}
	}
	counted(t, "key-schedule.json epochs", used, 25)
}

func TestVectorsPSKSecret(t *testing.T) {
	type vector struct {
		Suite CipherSuite `json:"cipher_suite"`
		PSKs  []struct {
			ID    hexBytes `json:"psk_id"`
			PSK   hexBytes
			Nonce hexBytes `json:"psk_nonce"`
		}
		Secret hexBytes `json:"psk_secret"`
	}
	used := 0
	for _, v := range readVectors[vector](t, "psk_secret.json") {
		s := vectorSuite(t, v.Suite)
		if s == nil {
			continue
		}
		used++
		var psks []preSharedKey
		for _, p := range v.PSKs {
			psks = append(psks, preSharedKey{id: PreSharedKeyID{Type: PSKExternal, ID: p.ID, Nonce: p.Nonce}, key: Secret(p.PSK)})
		}
		equal(t, "psk_secret", s.pskSecret(psks), v.Secret)
	}
	counted(t, "psk_secret.json", used, 55)
}

func TestVectorsTranscriptHashes(t *testing.T) {
	type vector struct {
		Suite                CipherSuite `json:"cipher_suite"`
		ConfirmationKey      hexBytes    `json:"confirmation_key"`
		AuthenticatedContent hexBytes    `json:"authenticated_content"`
		InterimBefore        hexBytes    `json:"interim_transcript_hash_before"`
		ConfirmedAfter       hexBytes    `json:"confirmed_transcript_hash_after"`
		InterimAfter         hexBytes    `json:"interim_transcript_hash_after"`
	}
	used := 0
	for _, v := range readVectors[vector](t, "transcript-hashes.json") {
		s := vectorSuite(t, v.Suite)
		if s == nil {
			continue
		}
		used++
		r := reader{b: v.AuthenticatedContent}
		a := decodeAuthenticatedContent(&r)
		if err := r.end(); err != nil || a.content.contentType != ContentCommit {
			t.Fatal("not a commit", err)
		}
		reencodes(t, "commit", v.AuthenticatedContent, a.encode)
		confirmed := s.confirmedHash(v.InterimBefore, a)
		equal(t, "confirmed transcript hash", confirmed, v.ConfirmedAfter)
		equal(t, "interim transcript hash", s.interimHash(confirmed, a.confirmationTag), v.InterimAfter)
		if !s.checkMAC(Secret(v.ConfirmationKey), confirmed, a.confirmationTag) {
			t.Error("the confirmation tag does not verify")
		}
		for n := range len(a.confirmationTag) {
			if s.checkMAC(Secret(v.ConfirmationKey), confirmed, a.confirmationTag[:n]) {
				t.Errorf("a confirmation tag cut to %d bytes verifies", n)
			}
		}
	}
	counted(t, "transcript-hashes.json", used, 5)
}

func TestVectorsWelcome(t *testing.T) {
	type vector struct {
		Suite      CipherSuite `json:"cipher_suite"`
		InitPriv   hexBytes    `json:"init_priv"`
		SignerPub  hexBytes    `json:"signer_pub"`
		KeyPackage hexBytes    `json:"key_package"`
		Welcome    hexBytes    `json:"welcome"`
	}
	used := 0
	for _, v := range readVectors[vector](t, "welcome.json") {
		s := vectorSuite(t, v.Suite)
		if s == nil {
			continue
		}
		used++
		// Not every leaf of these lists its own suite, so that ParseKeyPackage would refuse it.
		r := reader{b: v.KeyPackage}
		readHeader(&r, wireKeyPackage)
		kp := decodeKeyPackage(&r)
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		equal(t, "key package", kp.Marshal(), v.KeyPackage)
		m, err := parseWelcome(v.Welcome)
		if err != nil {
			t.Fatal(err)
		}
		private := &KeyPackagePrivate{keyPackage: kp, initKey: hpkeFrom(t, s, v.InitPriv).secret}
		entry, found := m.find(func(ref KeyPackageRef) *KeyPackagePrivate {
			if ref == kp.Ref() {
				return private
			}
			return nil
		})
		if found == nil {
			t.Fatal("the welcome is not for the key package")
		}
		secrets, err := s.openGroupSecrets(private, entry, m.groupInfo)
		if err != nil {
			t.Fatal(err)
		}
		member := s.member(secrets.joiner, s.pskSecret(nil))
		info, err := s.openGroupInfo(m, member)
		if err != nil {
			t.Fatal(err)
		}
		if err := info.verify(s, v.SignerPub); err != nil {
			t.Fatal(err)
		}
		epoch, _ := s.deriveEpoch(s.epochSecret(member, info.context.marshal()))
		if !s.checkMAC(epoch.confirmation, info.context.confirmedTranscriptHash, info.confirmationTag) {
			t.Error("the confirmation tag does not verify")
		}
		checkWelcomeAgain(t, s, kp, private, secrets, m)
		w := newMessage(wireWelcome)
		m.encode(w)
		equal(t, "welcome", w.b, v.Welcome)
		// What was opened is put together again by the same member, and opened again.
		o := &openWelcome{t: t, suite: s, private: private, secrets: secrets, member: member, info: info}
		again, err := parseWelcome(o.seal())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.openGroupSecrets(private, again.secrets[0], again.groupInfo); err != nil {
			t.Fatal(err)
		}
		equal(t, "the GroupInfo sealed again", again.groupInfo, m.groupInfo)
	}
	counted(t, "welcome.json", used, 5)
}

// checkWelcomeAgain seals the group secrets anew and opens them.
func checkWelcomeAgain(t *testing.T, s *suite, kp *KeyPackage, private *KeyPackagePrivate, secrets *groupSecrets, m *welcome) {
	sealed, err := s.sealGroupSecrets(kp, secrets, encryptContext("Welcome", m.groupInfo))
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.openGroupSecrets(private, sealed, m.groupInfo)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "joiner secret", again.joiner.Secret, secrets.joiner.Secret)
}
