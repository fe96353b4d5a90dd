package sqlite

import "zombiezen.com/go/sqlite"

// Plans gives how SQLite carries out what every device asks again and again, by name.
func Plans(s *Store) (map[string][]string, error) {
	plans := make(map[string][]string)
	conn := <-s.read
	defer func() { s.read <- conn }()
	id := make([]byte, 16)
	for name, q := range map[string]struct {
		query string
		args  []any
	}{"a room": {selectRoom, []any{id, id}}, "rooms": {selectRoomIDs, []any{id, id, 1}}} {
		err := run(conn, "EXPLAIN QUERY PLAN "+q.query, func(row *sqlite.Stmt) error {
			plans[name] = append(plans[name], row.ColumnText(3))
			return nil
		}, q.args...)
		if err != nil {
			return nil, err
		}
	}
	return plans, nil
}
