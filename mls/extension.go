package mls

import (
	"bytes"
	"slices"
)

// ExtensionType names an extension. 0xF000 to 0xFFFF are for private use (RFC 9420, Section 17.3).
type ExtensionType uint16

const (
	ExtensionApplicationID        ExtensionType = 1
	ExtensionRatchetTree          ExtensionType = 2
	ExtensionRequiredCapabilities ExtensionType = 3
	ExtensionExternalPub          ExtensionType = 4
	ExtensionExternalSenders      ExtensionType = 5
)

// An Extension is data of the application, or of another RFC, in a leaf, a key package, a GroupInfo or the GroupContext.
// Which of these it may be in is for those to say who define it.
type Extension struct {
	Type ExtensionType
	Data []byte
}

// Extensions is a list in which each type occurs once. Treat it as read-only; Set and Without make changed copies.
type Extensions []Extension

// Get returns the data of the extension of this type.
func (e Extensions) Get(t ExtensionType) ([]byte, bool) {
	for _, x := range e {
		if x.Type == t {
			return x.Data, true
		}
	}
	return nil, false
}

// Set returns a copy of the list in which the extension of this type has this data; a new one stands last.
func (e Extensions) Set(t ExtensionType, data []byte) Extensions {
	out := slices.Clone(e)
	for i := range out {
		if out[i].Type == t {
			out[i].Data = bytes.Clone(data)
			return out
		}
	}
	return append(out, Extension{t, bytes.Clone(data)})
}

// Without returns a copy of the list that lacks this type.
func (e Extensions) Without(t ExtensionType) Extensions {
	return slices.DeleteFunc(slices.Clone(e), func(x Extension) bool { return x.Type == t })
}

// Equal tells whether both lists hold the same extensions in the same order.
func (e Extensions) Equal(other Extensions) bool {
	return slices.EqualFunc(e, other, func(a, b Extension) bool {
		return a.Type == b.Type && bytes.Equal(a.Data, b.Data)
	})
}

// detached returns the list in memory of its own, as LeafNode.detached does.
func (e Extensions) detached() Extensions {
	out := slices.Clone(e)
	for i := range out {
		out[i].Data = bytes.Clone(out[i].Data)
	}
	return out
}

// RequiredCapabilities is the GroupContext extension that says what every member must support (RFC 9420, Section 11.1).
type RequiredCapabilities struct {
	Extensions  []ExtensionType
	Proposals   []ProposalType
	Credentials []CredentialType
}

// isDefault tells whether every client supports the type, so that capabilities do not list it (RFC 9420, Section 7.2).
func (t ExtensionType) isDefault() bool { return t >= 1 && t <= 5 }

// sizeHint is rather more than how long the encoding is.
func (e Extensions) sizeHint() int {
	size := 4
	for _, x := range e {
		size += len(x.Data) + 6
	}
	return size
}

func (e Extensions) encode(w *writer) {
	start := w.open()
	e.encodeEach(w)
	w.close(start)
}

func (e Extensions) encodeEach(w *writer) {
	for _, x := range e {
		w.uint16(uint16(x.Type))
		w.opaque(x.Data)
	}
}

func decodeExtensions(r *reader) Extensions {
	var out Extensions
	r.each(func(r *reader) { out = append(out, Extension{ExtensionType(r.uint16()), r.opaque()}) })
	if out.repeats() {
		r.fail("an extension type that occurs twice")
	}
	return out
}

// repeats tells whether a type occurs twice, which RFC 9420, Section 13.4 forbids.
func (e Extensions) repeats() bool {
	if len(e) < 2 {
		return false
	}
	seen := make(map[ExtensionType]struct{}, len(e))
	for _, x := range e {
		seen[x.Type] = struct{}{}
	}
	return len(seen) != len(e)
}

// Marshal returns the data of an extension of type ExtensionRequiredCapabilities.
func (rc RequiredCapabilities) Marshal() []byte {
	var w writer
	encodeUint16s(&w, rc.Extensions)
	encodeUint16s(&w, rc.Proposals)
	encodeUint16s(&w, rc.Credentials)
	return w.b
}

// ParseRequiredCapabilities reads what Marshal wrote.
func ParseRequiredCapabilities(data []byte) (RequiredCapabilities, error) {
	r := reader{b: bytes.Clone(data)}
	rc := RequiredCapabilities{
		Extensions:  decodeUint16s[ExtensionType](&r),
		Proposals:   decodeUint16s[ProposalType](&r),
		Credentials: decodeUint16s[CredentialType](&r),
	}
	return rc, r.end()
}

// requiredCapabilities returns those of a GroupContext; none are required where the extension is missing.
func (e Extensions) requiredCapabilities() (RequiredCapabilities, error) {
	data, ok := e.Get(ExtensionRequiredCapabilities)
	if !ok {
		return RequiredCapabilities{}, nil
	}
	return ParseRequiredCapabilities(data)
}

// checkContext refuses the extensions of a GroupContext that nobody could be in, as what they say cannot be read.
func (e Extensions) checkContext() error {
	if e.repeats() {
		return invalid("13.4", "an extension type occurs twice")
	}
	if _, err := e.requiredCapabilities(); err != nil {
		return err
	}
	data, ok := e.Get(ExtensionExternalSenders)
	if !ok {
		return nil
	}
	_, err := ParseExternalSenders(data)
	return err
}

func encodeUint16s[T ~uint16](w *writer, list []T) {
	w.length(2 * len(list))
	for _, v := range list {
		w.uint16(uint16(v))
	}
}

func decodeUint16s[T ~uint16](r *reader) []T {
	b := r.opaque()
	if len(b)%2 != 0 {
		r.fail("half a number")
		return nil
	}
	out := make([]T, 0, len(b)/2)
	for sub := (reader{b: b}); len(sub.b) > 0; {
		out = append(out, T(sub.uint16()))
	}
	return out
}
