package cell

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

//go:embed testdata/certs.txt
var certsTxt string

var certsTable = wiretest.Table[Certs]{
	Spec:   "https://spec.torproject.org/tor-spec/negotiating-channels.html",
	Parse:  ParseCerts,
	Append: Certs.AppendTo,
	Good: []wiretest.Good[Certs]{
		{Name: "none", Hex: "00", Msg: Certs{[]CertEntry{}}},
		{Name: "empty certificate", Hex: "01 02 0000", Msg: Certs{[]CertEntry{{2, []byte{}}}}},
		{
			Name: "unknown types repeated", Hex: "04 00 0001 aa 00 0001 bb 08 0000 08 0000",
			Msg: Certs{[]CertEntry{{0, []byte{0xaa}}, {0, []byte{0xbb}}, {8, []byte{}}, {8, []byte{}}}},
		},
		{
			Name: "bytes at the end", Hex: "01 04 0001 aa ffff", Canonical: "01 04 0001 aa",
			Msg: Certs{[]CertEntry{{4, []byte{0xaa}}}},
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "fewer than it says", Hex: "02 04 0001 aa", Err: ErrTruncated},
		{Name: "no length", Hex: "01 04", Err: ErrTruncated},
		{Name: "half a length", Hex: "01 04 00", Err: ErrTruncated},
		{Name: "certificate too short", Hex: "01 04 0002 aa", Err: ErrTruncated},
		{Name: "many announced", Hex: "ff 04 ffff", Err: ErrTruncated},
		{Name: "repeated", Hex: "02 04 0001 aa 04 0001 bb", Err: ErrRepeated},
		{Name: "repeated, last known type", Hex: "02 07 0000 07 0000", Err: ErrRepeated},
	},
	Refused: []wiretest.Refused[Certs]{
		{Name: "repeated", Msg: Certs{[]CertEntry{{Type: 1}, {Type: 1}}}, Err: ErrRepeated},
		{Name: "too many", Msg: Certs{make([]CertEntry, 256)}, Err: ErrTooLong},
		{Name: "too long", Msg: Certs{[]CertEntry{{1, make([]byte, 0x10000)}}}, Err: ErrTooLong},
	},
}

func TestCerts(t *testing.T) { certsTable.Test(t) }

func FuzzCerts(f *testing.F) {
	f.Add(relayCerts())
	certsTable.Fuzz(f)
}

// relayCerts is the body in testdata/certs.txt.
func relayCerts() []byte {
	_, digits, _ := strings.Cut(certsTxt, "\n")
	return wiretest.Unhex(digits)
}

func TestCertsOfRelay(t *testing.T) {
	body := relayCerts()
	m, err := ParseCerts(body)
	if err != nil {
		t.Fatal(err)
	}
	for certType, want := range map[uint8]int{
		CertRSALink: 0x23e, CertRSAID: 0x1bd, CertRSAAuth: 0, CertEd25519ID: 0x8c, CertTLSLink: 0x68, CertLinkAuth: 0,
		CertRSAToEd25519: 0xa5,
	} {
		if got := len(m.Get(certType)); got != want {
			t.Errorf("certificate of type %d has %d bytes, want %d", certType, got, want)
		}
	}
	if b, err := m.AppendTo(nil); err != nil || string(b) != string(body) {
		t.Errorf("encoded as %x, %v\nwant %x", b, err, body)
	}
}
