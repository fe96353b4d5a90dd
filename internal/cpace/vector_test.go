package cpace_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"snug/internal/cpace"
)

// vectors are those of draft-irtf-cfrg-cpace for ristretto255 and SHA-512, as the draft has them in JSON.
type vectors struct {
	Generator map[string]any
	Protocol  map[string]string
	Points    struct {
		Valid map[string]string
		Y1    string `json:"Invalid Y1"`
		Y2    string `json:"Invalid Y2"`
	}
	Strings map[string]string
}

func loadVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("testdata/ristretto255.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// unhex decodes what must be hexadecimal, and not empty.
func unhex(t *testing.T, text any) []byte {
	t.Helper()
	s, _ := text.(string)
	b, err := hex.DecodeString(s)
	if err != nil || len(b) == 0 {
		t.Fatalf("%v is no hexadecimal", text)
	}
	return b
}

func want(t *testing.T, name string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %x, want %x", name, got, want)
	}
}

// oCat is the draft's ordered concatenation, which protocols without roles use.
func oCat(a, b []byte) []byte {
	if bytes.Compare(a, b) < 0 {
		a, b = b, a
	}
	return append(append([]byte("oc"), a...), b...)
}

func TestStringVectors(t *testing.T) {
	counting := make([]byte, 128)
	for i := range counting {
		counting[i] = byte(i)
	}
	b := func(s string) []byte { return []byte(s) }
	v := loadVectors(t)
	for name, got := range map[string][]byte{
		"prepend_len(b'')":                                   cpace.PrependLen(nil),
		"prepend_len(b'1234')":                               cpace.PrependLen(b("1234")),
		"prepend_len(bytes(range(127)))":                     cpace.PrependLen(counting[:127]),
		"prepend_len(bytes(range(128)))":                     cpace.PrependLen(counting),
		"lv_cat(b'1234',b'5',b'',b'678')":                    cpace.LvCat(b("1234"), b("5"), nil, b("678")),
		"o_cat(b'ABCD',b'BCD')":                              oCat(b("ABCD"), b("BCD")),
		"o_cat(b'BCD',b'ABCDE')":                             oCat(b("BCD"), b("ABCDE")),
		"transcript_ir(b'123',b'PartyA',b'234',b'PartyB')":   cpace.TranscriptIR(b("123"), b("PartyA"), b("234"), b("PartyB")),
		"transcript_ir(b'3456',b'PartyA',b'2345',b'PartyB')": cpace.TranscriptIR(b("3456"), b("PartyA"), b("2345"), b("PartyB")),
		"transcript_oc(b'123',b'PartyA',b'234',b'PartyB')":   oCat(cpace.LvCat(b("123"), b("PartyA")), cpace.LvCat(b("234"), b("PartyB"))),
		"transcript_oc(b'3456',b'PartyA',b'2345',b'PartyB')": oCat(cpace.LvCat(b("3456"), b("PartyA")), cpace.LvCat(b("2345"), b("PartyB"))),
	} {
		want(t, name, got, unhex(t, v.Strings[name]))
		delete(v.Strings, name)
	}
	if len(v.Strings) != 0 {
		t.Errorf("not tried: %v", v.Strings)
	}
}

func TestGeneratorVector(t *testing.T) {
	g := loadVectors(t).Generator
	prs, ci, sid := unhex(t, g["PRS"]), unhex(t, g["CI"]), unhex(t, g["sid"])
	want(t, "generator_string", cpace.GeneratorString(prs, ci, sid), unhex(t, g["generator_string(G.DSI,PRS,CI,sid,H.s_in_bytes)"]))
	want(t, "g", cpace.Generator(prs, ci, sid), unhex(t, g["encoded generator g"]))
}

func TestProtocolVector(t *testing.T) {
	p := loadVectors(t).Protocol
	prs, ci, sid := unhex(t, p["PRS"]), unhex(t, p["CI"]), unhex(t, p["sid"])
	want(t, "g", cpace.Generator(prs, ci, sid), unhex(t, p["g"]))
	shares := map[string][]byte{}
	for side, other := range map[string]string{"a": "b", "b": "a"} {
		scalar := unhex(t, p["y"+side])
		share, err := cpace.Share(scalar, prs, ci, sid)
		if err != nil {
			t.Fatal(err)
		}
		want(t, "Y"+side, share[:], unhex(t, p["Y"+side]))
		shares[side] = share[:]
		k, err := cpace.ScalarMultVfy(scalar, unhex(t, p["Y"+other]))
		if err != nil {
			t.Fatal(err)
		}
		want(t, "K of "+side, k[:], unhex(t, p["K"]))
	}
	ada, adb, k := unhex(t, p["ADa"]), unhex(t, p["ADb"]), unhex(t, p["K"])
	ir := cpace.IntermediateKey(sid, k, cpace.TranscriptIR(shares["a"], ada, shares["b"], adb))
	want(t, "ISK_IR", ir[:], unhex(t, p["ISK_IR"]))
	oc := cpace.IntermediateKey(sid, k, oCat(cpace.LvCat(shares["a"], ada), cpace.LvCat(shares["b"], adb)))
	want(t, "ISK_SY", oc[:], unhex(t, p["ISK_SY"]))
}

func TestPointVectors(t *testing.T) {
	p := loadVectors(t).Points
	scalar := unhex(t, p.Valid["s"])
	for name, row := range map[string]struct{ x, want []byte }{
		"valid":    {unhex(t, p.Valid["X"]), unhex(t, p.Valid["G.scalar_mult_vfy(s,X)"])},
		"no point": {unhex(t, p.Y1), make([]byte, cpace.ShareSize)},
		"neutral":  {unhex(t, p.Y2), make([]byte, cpace.ShareSize)},
	} {
		got, err := cpace.ScalarMultVfy(scalar, row.x)
		if err != nil {
			t.Fatal(err)
		}
		want(t, name, got[:], row.want)
	}
}
