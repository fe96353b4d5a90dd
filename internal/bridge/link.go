package bridge

import (
	"context"

	"snug/client"
)

// dispatchLink is how devices are linked, and the rest of dispatch.
func (s *Server) dispatchLink(ctx context.Context, call *Call) (isPacket_Body, error) {
	switch body := call.Body.(type) {
	case *Call_StartLink:
		return s.startLink(ctx)
	case *Call_AwaitLink:
		return toMatch(s.core.AwaitLink(ctx))
	case *Call_ConfirmLink:
		_, err := s.core.ConfirmLink(ctx)
		return done(err)
	case *Call_JoinLink:
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return toMatch(s.core.JoinLink(ctx, client.JoinLinkOptions{Code: body.JoinLink.GetCode(), DeviceName: body.JoinLink.GetDeviceName()}))
	case *Call_AcceptLink:
		me, err := s.core.AcceptLink(ctx)
		if err != nil {
			return nil, err
		}
		return &Packet_Me{Me: toMe(me)}, nil
	case *Call_CancelLink:
		return bounded(ctx, s.core.CancelLink)
	default:
		return s.dispatchContact(ctx, call)
	}
}

func (s *Server) startLink(ctx context.Context) (isPacket_Body, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	link, err := s.core.StartLink(ctx)
	if err != nil {
		return nil, err
	}
	drawing, err := draw(link.QR)
	if err != nil {
		return nil, err
	}
	return &Packet_Link{Link: &Link{Code: link.Code, Drawing: drawing}}, nil
}

func toMatch(m client.LinkMatch, err error) (isPacket_Body, error) {
	if err != nil {
		return nil, err
	}
	return &Packet_Match{Match: &Match{Digits: m.Digits, DeviceName: m.DeviceName}}, nil
}
