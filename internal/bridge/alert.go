package bridge

import (
	"context"

	"snug/client"
)

var alertKinds = map[client.AlertKind]AlertKind{
	client.DeviceAdded:        AlertKind_ALERT_KIND_DEVICE_ADDED,
	client.DeviceRevoked:      AlertKind_ALERT_KIND_DEVICE_REVOKED,
	client.PassphraseReplaced: AlertKind_ALERT_KIND_PASSPHRASE_REPLACED,
}

func (s *Server) listAlerts(ctx context.Context) (isPacket_Body, error) {
	alerts, err := s.core.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	answer := new(Alerts)
	for _, a := range alerts {
		alert := &Alert{Id: a.ID, Kind: alertKinds[a.Kind], DeviceName: a.DeviceName, At: milliseconds(a.At), Revoked: a.Revoked}
		if !a.Device.IsZero() {
			alert.Device = a.Device.String()
		}
		answer.Alerts = append(answer.Alerts, alert)
	}
	return &Packet_Alerts{Alerts: answer}, nil
}
