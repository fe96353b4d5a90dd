package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/qr"
)

func verifyVerbs() []*verb {
	return []*verb{{
		name: "verify", args: "@HANDLE", least: 1, most: 1, flags: verifyFlags,
		does:    "Show the safety number of you and somebody else, or keep that it is right: compare it where nobody is between you",
		example: "verify @bob --number '60 digits that bob has read out'",
	}}
}

func verifyFlags(set *flag.FlagSet) action {
	homeFlags(set)
	number := set.String("number", "", "the `DIGITS` that the other person sees: right ones verify, wrong ones are refused")
	matches := set.Bool("matches", false, "you have compared what is shown: it is what the other person sees")
	forget := set.Bool("forget", false, "forget that this account was verified")
	accept := set.Bool("accept", false, "take this account for whoever has the handle, although you knew another one by it")
	return withHome(func(ctx context.Context, c *call, d *device) error {
		chosen := 0
		for _, set := range []bool{*number != "", *matches, *forget, *accept} {
			if set {
				chosen++
			}
		}
		if chosen > 1 {
			return usageErrorf("snug "+c.verb.example, "verify: --number, --matches, --forget and --accept exclude each other")
		}
		contact, err := d.FindContact(ctx, c.args[0])
		if err != nil {
			return err
		}
		switch {
		case *number != "":
			theirs, err := ident.ParseSafetyNumber(*number)
			if err != nil {
				return usageErrorf("snug "+c.verb.example, "verify: a safety number has 60 digits")
			}
			contact, err = d.Verify(ctx, contact.Account, theirs)
			if err != nil {
				return err
			}
		case *matches:
			contact, err = d.Verify(ctx, contact.Account, contact.SafetyNumber)
		case *forget:
			contact, err = d.Unverify(ctx, contact.Account)
		case *accept:
			contact, err = d.AcceptContact(ctx, contact.Account)
		default:
			return c.showContact(contact)
		}
		if err != nil {
			return err
		}
		return c.printContact(contact)
	})
}

// showContact prints the number for two people to compare, on a terminal with its QR code.
func (c *call) showContact(contact client.Contact) error {
	if isTerminal(c.out) && !c.json {
		code, err := qr.Encode(contact.SafetyNumber.QR())
		if err != nil {
			return err
		}
		fmt.Fprint(c.out, code.Terminal())
		c.say("@%s sees the same number, if nobody is between you: compare all of it, face to face or on the phone", contact.Handle)
	}
	return c.printContact(contact)
}

func (c *call) printContact(contact client.Contact) error {
	object := struct {
		Handle       string `json:"handle"`
		Account      string `json:"account"`
		SafetyNumber string `json:"safety_number"`
		Verified     bool   `json:"verified"`
		VerifiedAt   string `json:"verified_at,omitempty"`
		Changed      bool   `json:"changed"`
	}{contact.Handle, contact.Account.String(), contact.SafetyNumber.String(), !contact.VerifiedAt.IsZero(), timeText(contact.VerifiedAt), contact.Changed}
	state := "not verified on this device"
	if object.Verified {
		state = "verified on this device on " + contact.VerifiedAt.Local().Format(time.DateOnly)
	}
	if contact.Changed {
		c.say("you knew another account as @%s: this one has other keys", contact.Handle)
	}
	return c.print(object, "%s\n@%s is %s", object.SafetyNumber, contact.Handle, state)
}
