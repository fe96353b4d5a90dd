package mtls_test

import (
	"crypto/x509"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"snug/mtls"
)

// TestKeepNewest: a list gives way to a newer one of its authority that there was before, and to no other.
func TestKeepNewest(t *testing.T) {
	// A list is written as its authority and its number, or its authority, "@" and its date in minutes.
	all := make(map[string]*x509.RevocationList)
	list := func(text string) *x509.RevocationList {
		if all[text] == nil {
			issuer, number, numbered := strings.Cut(text, " ")
			l := &x509.RevocationList{RawIssuer: []byte(issuer), ThisUpdate: now}
			if numbered {
				l.Number, _ = new(big.Int).SetString(number, 10)
			} else {
				name, minutes, _ := strings.Cut(text, "@")
				d, err := time.ParseDuration(minutes + "m")
				if err != nil {
					t.Fatal(err)
				}
				l.RawIssuer, l.ThisUpdate = []byte(name), now.Add(d)
			}
			all[text] = l
		}
		return all[text]
	}
	lists := func(texts []string) (lists []*x509.RevocationList) {
		for _, text := range texts {
			lists = append(lists, list(text))
		}
		return lists
	}
	for _, row := range []struct {
		name                string
		before, after, want []string
		older               bool
	}{
		{"newer", []string{"a 5"}, []string{"a 6"}, []string{"a 6"}, false},
		{"the same", []string{"a 5"}, []string{"a 5"}, []string{"a 5"}, false},
		{"older", []string{"a 5"}, []string{"a 4"}, []string{"a 5"}, true},
		{"older by a number of many digits", []string{"a 10000000000000000000000000"}, []string{"a 9"}, []string{"a 10000000000000000000000000"}, true},
		{"older by its date", []string{"a@5"}, []string{"a@4"}, []string{"a@5"}, true},
		{"newer by its date", []string{"a@5"}, []string{"a@6"}, []string{"a@6"}, false},
		{"of another authority", []string{"a 5"}, []string{"b 4"}, []string{"b 4"}, false},
		{"one of two older", []string{"a 5", "b 5"}, []string{"a 4", "b 6"}, []string{"b 6", "a 5"}, true},
		{"both older", []string{"a 5", "b 5"}, []string{"a 4", "b 4"}, []string{"a 5", "b 5"}, true},
		{"two of one authority, as before", []string{"a 4", "a 5"}, []string{"a 4", "a 5"}, []string{"a 4", "a 5"}, false},
		{"two before, newest first", []string{"a 5", "a 4"}, []string{"a 3"}, []string{"a 5"}, true},
		{"two before, newest last", []string{"a 4", "a 5"}, []string{"a 3"}, []string{"a 5"}, true},
		{"none any more", []string{"a 5"}, nil, nil, false},
		{"none before", nil, []string{"a 1"}, []string{"a 1"}, false},
	} {
		key := mtls.Fingerprint{1}
		after := &mtls.Revoked{Keys: []mtls.Fingerprint{key}, Lists: lists(row.after)}
		got, err := after.KeepNewest(&mtls.Revoked{Lists: lists(row.before)})
		if (err != nil) != row.older {
			t.Errorf("%s: got %v, want an error %t", row.name, err, row.older)
		}
		if !slices.Equal(got.Lists, lists(row.want)) || !slices.Equal(got.Keys, after.Keys) {
			t.Errorf("%s: got %d lists and the keys %v, want %v and %v", row.name, len(got.Lists), got.Keys, row.want, after.Keys)
		}
		if !slices.Equal(after.Lists, lists(row.after)) {
			t.Errorf("%s: what was asked has changed", row.name)
		}
	}
	some := &mtls.Revoked{Lists: lists([]string{"a 5"})}
	if got, err := some.KeepNewest(nil); got != some || err != nil {
		t.Errorf("after nothing: got %v, %v", got, err)
	}
	if got, err := (*mtls.Revoked)(nil).KeepNewest(some); got != nil || err != nil {
		t.Errorf("nothing after something: got %v, %v", got, err)
	}
}
