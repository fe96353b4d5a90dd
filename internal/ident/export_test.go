package ident

// Words gives the word list to the test that counts it.
func Words() []string { return words() }
