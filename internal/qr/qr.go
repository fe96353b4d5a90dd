// Package qr draws QR codes (ISO/IEC 18004) for the page and the terminal: safety numbers and link codes. Begin with
// Encode. It computes nothing itself but how the modules are shown; the code is rsc.io/qr/coding's.
package qr

import (
	"fmt"
	"strings"

	"rsc.io/qr/coding"
)

// level is the error correction: 15 % of a code may be covered, by a reflection or a thumb.
const level = coding.M

// quiet is how many light modules a code has around it: ISO/IEC 18004, Section 5.3.8.
const quiet = 4

// Code is a square of dark and light modules, without the quiet zone around it.
type Code struct {
	// Size is the length of a side in modules: 21 to 177.
	Size int

	code *coding.Code
}

// Encode gives the smallest code for a text. It is smallest for digits, capital letters and "$%*+-./: ".
func Encode(text string) (*Code, error) {
	var content coding.Encoding = coding.Alpha(text)
	if content.Check() != nil {
		content = coding.String(text)
	}
	for version := coding.Version(coding.MinVersion); version <= coding.MaxVersion; version++ {
		if content.Bits(version) > version.DataBytes(level)*8 {
			continue
		}
		plan, err := coding.NewPlan(version, level, 0)
		if err != nil {
			return nil, fmt.Errorf("planning a QR code: %w", err)
		}
		code, err := plan.Encode(content)
		if err != nil {
			return nil, fmt.Errorf("encoding a QR code: %w", err)
		}
		return &Code{Size: code.Size, code: code}, nil
	}
	return nil, fmt.Errorf("qr: %d bytes do not fit", len(text))
}

// Dark reports whether the module at column x and row y is dark; what is outside is light.
func (c *Code) Dark(x, y int) bool { return c.code.Black(x, y) }

// Path gives the dark modules as an SVG path in units of modules, the quiet zone included: a rectangle for each run.
func (c *Code) Path() string {
	var b strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			run := 0
			for c.Dark(x+run, y) {
				run++
			}
			if run > 0 {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, run, run)
				x += run
			}
		}
	}
	return b.String()
}

// Side is the length of a side of what Path draws on, in modules.
func (c *Code) Side() int { return c.Size + 2*quiet }

// Terminal draws the code with half blocks, two rows to a line, dark on light whatever the terminal's colours are: most
// readers do not take a code that is turned inside out.
func (c *Code) Terminal() string {
	var b strings.Builder
	for y := -quiet; y < c.Size+quiet; y += 2 {
		b.WriteString("\x1b[30;107m")
		for x := -quiet; x < c.Size+quiet; x++ {
			switch upper, lower := c.Dark(x, y), c.Dark(x, y+1); {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteByte(' ')
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String()
}
