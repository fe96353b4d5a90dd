package bridge

import "context"

func (s *Server) listDevices(ctx context.Context) (isPacket_Body, error) {
	devices, err := s.core.Devices(ctx)
	if err != nil {
		return nil, err
	}
	answer := new(Devices)
	for _, d := range devices {
		answer.Devices = append(answer.Devices, &Device{
			Device: d.ID.String(), Name: d.Name, EnrolledAt: milliseconds(d.EnrolledAt), Current: d.Current,
		})
	}
	return &Packet_Devices{Devices: answer}, nil
}
