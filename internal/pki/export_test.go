package pki

// Reindex reads an index and writes it again.
func Reindex(text []byte) ([]byte, error) {
	ix, err := parseIndex(text)
	if err != nil {
		return nil, err
	}
	return ix.marshal(), nil
}

// Watched is Settings whose files are written in steps that before is asked about.
func Watched(s Settings, before func(step string) error) Settings {
	s.disk.before = before
	return s
}
