// Package snug is the root of the module: it holds the policy tests and nothing else. The binary is cmd/snug, the
// packages that others can use are mls, mtls and client.
package snug
