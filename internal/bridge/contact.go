package bridge

import (
	"context"

	"snug/client"
	"snug/internal/ident"
	"snug/internal/qr"
)

// dispatchContact is what can be done with other accounts, and the rest of dispatch.
func (s *Server) dispatchContact(ctx context.Context, call *Call) (isPacket_Body, error) {
	switch body := call.Body.(type) {
	case *Call_GetContact:
		return withAccount(ctx, body.GetContact.GetAccount(), s.core.Contact)
	case *Call_VerifyContact:
		number, err := ident.ParseSafetyNumber(body.VerifyContact.GetNumber())
		if err != nil {
			return nil, &client.Error{Code: client.Usage, Message: "that is no safety number", Hint: "it has 60 digits"}
		}
		return withAccount(ctx, body.VerifyContact.GetAccount(), func(ctx context.Context, account ident.AccountID) (client.Contact, error) {
			return s.core.Verify(ctx, account, number)
		})
	case *Call_UnverifyContact:
		return withAccount(ctx, body.UnverifyContact.GetAccount(), s.core.Unverify)
	case *Call_AcceptContact:
		return withAccount(ctx, body.AcceptContact.GetAccount(), s.core.AcceptContact)
	default:
		return s.dispatchRoom(ctx, call)
	}
}

func withAccount(ctx context.Context, account string, verb func(context.Context, ident.AccountID) (client.Contact, error)) (isPacket_Body, error) {
	id, err := ident.ParseAccountID(account)
	if err != nil {
		return nil, err
	}
	contact, err := verb(ctx, id)
	if err != nil {
		return nil, err
	}
	code, err := draw(contact.SafetyNumber.QR())
	if err != nil {
		return nil, err
	}
	return &Packet_Contact{Contact: &Contact{
		Account: contact.Account.String(), Handle: contact.Handle, Number: contact.SafetyNumber.String(), Code: code,
		VerifiedAt: milliseconds(contact.VerifiedAt), Changed: contact.Changed, WasVerified: contact.WasVerified,
	}}, nil
}

// draw gives the QR code of a text.
func draw(text string) (*Drawing, error) {
	code, err := qr.Encode(text)
	if err != nil {
		return nil, err
	}
	return &Drawing{Side: uint32(code.Side()), Path: code.Path()}, nil
}
