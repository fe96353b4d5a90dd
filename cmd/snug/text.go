package main

import (
	"strings"
	"unicode"
)

// safe makes text of others fit for a terminal: control characters, which could move the cursor, set the title or type
// for the reader, and characters that reverse the direction of what follows, are shown as their picture or left out.
func safe(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r < 0x20:
			return 0x2400 + r
		case r == 0x7f:
			return 0x2421
		case unicode.Is(unicode.Cc, r), unicode.Is(unicode.Bidi_Control, r):
			return -1
		case r == unicode.ReplacementChar, unicode.IsGraphic(r), unicode.Is(unicode.Cf, r):
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// safeLines is safe, with line breaks kept and what follows them indented under the first line.
func safeLines(text, indent string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i := range lines {
		lines[i] = safe(lines[i])
	}
	return strings.Join(lines, "\n"+indent)
}
