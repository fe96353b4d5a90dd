package sqlite

// Plan gives how SQLite carries a statement out; nothing for those that have no plan.
func Plan(s *Store, query string) (plan []string, err error) {
	conn := <-s.read
	defer func() { s.read <- conn }()
	stmt, _, err := conn.PrepareTransient("EXPLAIN QUERY PLAN " + query)
	if err != nil {
		return nil, err
	}
	defer stmt.Finalize()
	for {
		row, err := stmt.Step()
		if err != nil || !row {
			return plan, err
		}
		plan = append(plan, stmt.ColumnText(3))
	}
}
