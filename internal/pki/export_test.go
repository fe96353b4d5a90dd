package pki

// Reindex reads an index and writes it again.
func Reindex(text []byte) ([]byte, error) {
	ix, err := parseIndex(text)
	if err != nil {
		return nil, err
	}
	return ix.marshal(), nil
}
