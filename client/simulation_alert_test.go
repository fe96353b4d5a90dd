package client_test

import (
	"fmt"
	"slices"

	"snug/client"
	"snug/internal/ident"
)

// checkAlerts holds what every device tells of its account against the chain: all that came or went after it, each once and in
// order, whatever has crashed since. Nobody has dismissed anything, revoked another device or changed a passphrase.
func (s *sim) checkAlerts() {
	told := 0
	for _, d := range s.devices {
		if d.core.Account().IsZero() {
			continue
		}
		chain, err := ident.ParseChain(s.model.Chain(d.me))
		if err != nil {
			s.fatalf("%s: %v", d.name, err)
		}
		d.alerts = nil
		d.take(d.core.Alerts(s.call()))
		var got []string
		for _, a := range d.alerts {
			got = append(got, fmt.Sprint(a.Kind, " ", a.Device, " ", a.Revoked))
		}
		want := s.news(chain, d.core.Device())
		if !slices.Equal(got, want) {
			s.fatalf("%s: tells\n%q, want\n%q", d.name, got, want)
		}
		told += len(want)
	}
	s.t.Logf("%d alerts", told)
}

// news is what a device has to tell of its account.
func (s *sim) news(chain *ident.Chain, me ident.DeviceID) (list []string) {
	own, _ := chain.EverEnrolled(me)
	for seq := int(own.Seq) + 1; seq < chain.Len(); seq++ {
		switch statement, _ := chain.Statement(seq); t := statement.(type) {
		case ident.Enrol:
			d, _ := chain.EverEnrolled(t.Device)
			list = append(list, fmt.Sprint(client.DeviceAdded, " ", t.Device, " ", d.Revoked))
		case ident.Revoke:
			if d, _ := chain.EverEnrolled(t.Device); d.Seq < own.Seq { // else its coming says so
				list = append(list, fmt.Sprint(client.DeviceRevoked, " ", t.Device, " ", false))
			}
		}
	}
	return list
}
