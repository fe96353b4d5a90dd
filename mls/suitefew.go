//go:build mls_ed25519

package mls

var suites = ed25519Suites
