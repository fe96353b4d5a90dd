package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"snug/client"
	"snug/internal/ident"
)

// maxPassphrase is more than anybody types, and keeps a wrong file from being read whole.
const maxPassphrase = 1024

// oldPassphrase is the passphrase of an account that exists: from the file, or asked for on the terminal.
func oldPassphrase(file string) (string, error) {
	if file != "" {
		return readPassphrase(file)
	}
	return askSecret("passphrase: ")
}

// newPassphrase is the passphrase of a new account: from the file, or chosen on the terminal, where one is proposed.
func newPassphrase(file string) (string, error) {
	if file != "" {
		return readPassphrase(file)
	}
	chosen, err := askSecret("passphrase (just Enter for a good one): ")
	if err != nil {
		return "", err
	}
	if chosen == "" {
		return proposePassphrase()
	}
	if err := ident.CheckPassphrase(chosen); err != nil {
		return "", err
	}
	again, err := askSecret("the same again: ")
	if err != nil {
		return "", err
	}
	if again != chosen {
		return "", usageErrorf("again", "the two passphrases differ")
	}
	return chosen, nil
}

// proposePassphrase makes a passphrase, shows it on the terminal, and waits until it has been written down.
func proposePassphrase() (string, error) {
	words, err := ident.GeneratePassphrase(ident.Random())
	if err != nil {
		return "", err
	}
	tty, err := openTerminal()
	if err != nil {
		return "", err
	}
	defer tty.Close()
	fmt.Fprintf(tty, "\n    %s\n\nWrite it down: it is the only key to the account. Enter when you have: ", words)
	_, err = bufio.NewReader(tty).ReadString('\n')
	// The words go from the screen; what scrolled by before stays.
	fmt.Fprint(tty, "\x1b[4A\x1b[J")
	return words, err
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
	line, err := bufio.NewReader(io.LimitReader(from, maxPassphrase)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the passphrase: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", usageErrorf("printf '%s\\n' 'six words …' > "+file, "%s holds no passphrase", file)
	}
	return line, nil
}

// askSecret asks on the terminal, and does not show what is typed.
func askSecret(prompt string) (string, error) {
	tty, err := openTerminal()
	if err != nil {
		return "", err
	}
	defer tty.Close()
	fmt.Fprint(tty, prompt)
	typed, err := term.ReadPassword(int(tty.Fd()))
	// The prompt goes again: what stays on the screen is the verb's answer.
	fmt.Fprint(tty, "\r\x1b[K")
	return string(typed), err
}

// openTerminal is the person's terminal, wherever stdin comes from.
func openTerminal() (*os.File, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, usageErrorf("--passphrase-file FILE", "there is no terminal to ask for the passphrase on")
	}
	return tty, nil
}
