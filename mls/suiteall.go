//go:build !mls_ed25519

package mls

import (
	"crypto"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/sha512"
	"slices"
)

var (
	p256Scheme = ecdsaScheme{elliptic.P256(), crypto.SHA256, sha256.New}
	p384Scheme = ecdsaScheme{elliptic.P384(), crypto.SHA384, sha512.New384}
	p521Scheme = ecdsaScheme{elliptic.P521(), crypto.SHA512, sha512.New}
)

// suites is the one table of what is supported. A new suite is a line here, or in ed25519Suites.
var suites = slices.Concat(ed25519Suites, []*suite{
	{2, hpke.DHKEM(ecdh.P256()), hpke.HKDFSHA256(), hpke.AES128GCM(), sha256.New, 32, 16, newGCM, p256Scheme},
	{5, hpke.DHKEM(ecdh.P521()), hpke.HKDFSHA512(), hpke.AES256GCM(), sha512.New, 64, 32, newGCM, p521Scheme},
	{7, hpke.DHKEM(ecdh.P384()), hpke.HKDFSHA384(), hpke.AES256GCM(), sha512.New384, 48, 32, newGCM, p384Scheme},
	{MLS_128_MLKEM768P256_AES128GCM_SHA256_P256, hpke.MLKEM768P256(), hpke.HKDFSHA256(), hpke.AES128GCM(), sha256.New, 32, 16, newGCM, p256Scheme},
	{MLS_128_MLKEM768P256_AES256GCM_SHA384_P256, hpke.MLKEM768P256(), hpke.HKDFSHA384(), hpke.AES256GCM(), sha512.New384, 48, 32, newGCM, p256Scheme},
	{MLS_192_MLKEM1024P384_AES256GCM_SHA384_P384, hpke.MLKEM1024P384(), hpke.HKDFSHA384(), hpke.AES256GCM(), sha512.New384, 48, 32, newGCM, p384Scheme},
})
