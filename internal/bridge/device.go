package bridge

import (
	"context"

	"snug/internal/ident"
)

func (s *Server) listDevices(ctx context.Context) (isPacket_Body, error) {
	devices, err := s.core.Devices(ctx)
	if err != nil {
		return nil, err
	}
	answer := new(Devices)
	for _, d := range devices {
		answer.Devices = append(answer.Devices, &Device{
			Device: d.ID.String(), Name: d.Name, EnrolledAt: milliseconds(d.EnrolledAt), Current: d.Current, New: d.New,
		})
	}
	return &Packet_Devices{Devices: answer}, nil
}

func (s *Server) parting(ctx context.Context) (isPacket_Body, error) {
	p, err := s.core.Parting(ctx)
	if err != nil {
		return nil, err
	}
	return &Packet_Parting{Parting: &Parting{Unsent: uint32(p.Unsent)}}, nil
}

func withDevice(ctx context.Context, device string, verb func(context.Context, ident.DeviceID) error) (isPacket_Body, error) {
	id, err := ident.ParseDeviceID(device)
	if err != nil {
		return nil, err
	}
	return bounded(ctx, func(ctx context.Context) error { return verb(ctx, id) })
}
