// Package testkit holds what the tests of several packages share: contract suites for the interfaces that have more than
// one implementation, implementations in memory that can be made to fail, and a model of the server. Begin with
// TestClientStore and NewModel. Only tests import it.
package testkit
