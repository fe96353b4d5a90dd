package client_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	"snug/client"
	"snug/internal/ident"
)

// signInAnew does what the remedy says where a device waits for nobody: who may let it in has changed while it could not
// follow, or has lost the keys as well; or the device was out of the room, and is let in by somebody who could not have done it when
// it left.
func (s *sim) signInAnew(d *device) {
	if !slices.ContainsFunc(d.core.Rooms(), func(v client.View) bool {
		letIn := strings.HasPrefix(v.Problem, "this device was let into")
		return letIn || v.Keyless && !s.lost(d, v) && (v.Refusals > 0 || !s.othersKnow(d, v.ID, v.Waits))
	}) {
		return
	}
	s.note("%s: signs out and in", d.name)
	for _, v := range d.core.Rooms() {
		s.taken[v.ID] = append(s.taken[v.ID], s.texts(d, v.ID)...)
	}
	d.take(d.core.Logout(s.call()))
	s.settle(time.Minute)
	d.take(d.core.Login(s.call(), d.handle))
	s.settle(5 * time.Minute)
}

// forget has a device's store lose what it has of a room's group, or a part of one of its records; of a room in which somebody
// is left who can let it in.
func (s *sim) forget(d *device) {
	for _, v := range d.core.Rooms() {
		if !v.Joined || v.Keyless || v.Epoch == 0 || s.rng.IntN(2) == 0 || !s.othersKnow(d, v.ID, nil) {
			continue
		}
		records := d.disk.Snapshot()
		keys := slices.Sorted(maps.Keys(records))
		keys = slices.DeleteFunc(keys, func(key string) bool { return !strings.HasPrefix(key, "group/"+v.ID.String()+"/") })
		if len(keys) == 0 {
			continue
		}
		if s.rng.IntN(2) == 0 {
			s.note("%s: loses the keys of %s", d.name, v.ID)
			for _, key := range keys {
				delete(records, key)
			}
		} else {
			s.note("%s: the keys of %s are damaged", d.name, v.ID)
			damaged := keys[s.rng.IntN(len(keys))]
			records[damaged] = records[damaged][:s.rng.IntN(len(records[damaged]))]
		}
		d.disk.Restore(records)
		s.losses++
		return
	}
}

// othersKnow reports whether a device of another store is in the room and has its keys; of one of the accounts, where not
// nil.
func (s *sim) othersKnow(d *device, room ident.RoomID, accounts []ident.AccountID) bool {
	in := s.model.Devices(room)
	return slices.ContainsFunc(s.devices, func(other *device) bool {
		v := other.view(room)
		return other.disk != d.disk && v.Epoch > 0 && !v.Keyless && slices.Contains(in, other.core.Device()) &&
			(accounts == nil || slices.Contains(accounts, other.core.Account()))
	})
}

// lost reports whether a device cannot be let in anew: it was taken out of the room, or there is nobody who has the keys.
func (s *sim) lost(d *device, v client.View) bool {
	return v.Keyless && (!slices.Contains(s.model.Devices(v.ID), d.core.Device()) || !s.othersKnow(d, v.ID, nil))
}

// noteRoom notes how everybody stands in a room.
func (s *sim) noteRoom(room ident.RoomID) {
	in := s.model.Devices(room)
	for _, d := range s.devices {
		v := d.view(room)
		s.note("%s: in the room %v, %+v", d.name, slices.Contains(in, d.core.Device()), v)
	}
}
