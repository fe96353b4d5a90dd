package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"snug/client"
	"snug/internal/ident"
)

// maxPassphrase is the most bytes of a passphrase, and keeps a wrong file from being read whole.
const maxPassphrase = 1024

// oldPassphrase is the passphrase of an account that exists: from the file, or asked for on the terminal.
func oldPassphrase(ctx context.Context, file string) (string, error) {
	if file != "" {
		return readPassphrase(file)
	}
	return askSecretly(ctx, "passphrase: ", "--passphrase-file FILE")
}

// newPassphrase is the passphrase of a new account: from the file, or chosen on the terminal, where one is proposed.
func newPassphrase(ctx context.Context, file string) (string, error) {
	if file != "" {
		return readPassphrase(file)
	}
	chosen, err := askSecretly(ctx, "passphrase (just Enter for a good one): ", "--passphrase-file FILE")
	if err != nil {
		return "", err
	}
	if chosen == "" {
		return proposePassphrase(ctx)
	}
	if err := client.CheckPassphrase(chosen); err != nil {
		return "", err
	}
	again, err := askSecretly(ctx, "the same again: ", "--passphrase-file FILE")
	if err != nil {
		return "", err
	}
	if again != chosen {
		return "", errDiffer
	}
	return chosen, nil
}

// errDiffer is of a passphrase that was not typed twice alike.
var errDiffer = &client.Error{Code: client.Usage, Message: "the two passphrases differ, or are empty", Hint: "nothing was changed: begin again, and type the same one twice"}

// proposePassphrase makes a passphrase, shows it on the terminal, and waits until it has been written down.
func proposePassphrase(ctx context.Context) (string, error) {
	words, err := ident.GeneratePassphrase(ident.Random())
	if err != nil {
		return "", err
	}
	tty, err := openTerminal()
	if err != nil {
		return "", err
	}
	defer tty.Close()
	prompt := "\n    " + words + "\n\nWrite it down: it is the only key to the account. Enter when you have: "
	line, err := (&terminal{File: tty}).ask(ctx, prompt)
	if err == nil && !strings.HasSuffix(line, "\n") { // ctrl-D says nothing
		err = errInterrupted
	}
	// The words go from the screen; what scrolled by before stays.
	if err != nil {
		fmt.Fprint(tty, "\x1b[3A\r\x1b[J")
		return "", err
	}
	fmt.Fprint(tty, "\x1b[4A\x1b[J")
	return words, nil
}

// readPassphrase is the first line of the file; "-" is standard input.
func readPassphrase(file string) (string, error) {
	var from io.Reader = os.Stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return "", &client.Error{Code: client.Failed, Message: fmt.Sprintf("reading the passphrase: %v", err), Hint: "the first line of that file has to be the passphrase"}
		}
		defer f.Close()
		from = f
	}
	line, err := bufio.NewReader(io.LimitReader(from, maxPassphrase+1)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the passphrase: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", usageErrorf("printf '%s\\n' 'six words …' > "+file, "%s holds no passphrase", file)
	}
	if len(line) > maxPassphrase {
		return "", &client.Error{Code: client.Usage, Message: fmt.Sprintf("the first line of %s is longer than any passphrase", file), Hint: "is it the right file?"}
	}
	return line, nil
}
