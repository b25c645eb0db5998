package relaymsg

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

// An ESTABLISH_INTRO message that C tor sent in a test network, with the KH of its circuit.
const (
	introKey = "75bc879bf697a9b12e1e10596fef041127fecd11fdd80706aeae35812ea74328"
	introMAC = "a3df998d6749a9323035ad23daa7f8607e4f87473a975e50a42dec9c0e565c48"
	introSig = `5a7f5e53d55b307b5f7866ae14508dda3412e2b3e4805176c25413cedf204f7f
		53eaecadc0844472aa7bec3bdcba0a65f1fcdef397b399f534f46e535b0e6301`
	introKH = "250ccaf964b17b621a58cd82df5dafd060ba5f28"
)

var (
	introNoExts  = "02 0020" + introKey + "00" + introMAC
	introDoSExts = "02 0020" + introKey + "01 01 13 02 01 0000000000000001 02 0000000000000002" + introMAC
)

var establishIntroTable = wiretest.Table[EstablishIntro]{
	Spec:   "https://spec.torproject.org/rend-spec/introduction-protocol.html",
	Parse:  ParseEstablishIntro,
	Append: EstablishIntro.AppendTo,
	Good: []wiretest.Good[EstablishIntro]{
		{Name: "from C tor", Hex: introNoExts + "0040" + introSig, Msg: establishIntro(introNoExts, circext.List{})},
		{
			Name: "limits", Hex: introDoSExts + "0040" + introSig,
			Msg: establishIntro(introDoSExts, circext.List{circext.IntroDoS{Rate: 1, Burst: 2}.Extension()}),
		},
		{
			Name: "bytes at the end", Hex: introNoExts + "0040" + introSig + "ff", Canonical: introNoExts + "0040" + introSig,
			Msg: establishIntro(introNoExts, circext.List{}),
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "version 2 service", Hex: "008c30818902818100d2419b56bfb89d35", Err: ErrTruncated},
		{Name: "short key", Hex: "02 001f" + introKey[2:] + "00" + introMAC + "0040" + introSig, Err: ErrMalformed},
		{Name: "key of another type", Hex: "01 0020" + introKey + "00" + introMAC + "0040" + introSig, Err: ErrMalformed},
		{Name: "no extensions", Hex: "02 0020" + introKey, Err: circext.ErrTruncated},
		{Name: "extension too short", Hex: "02 0020" + introKey + "01 01 13 02", Err: circext.ErrTruncated},
		{Name: "short MAC", Hex: "02 0020" + introKey + "00" + introMAC[2:], Err: ErrTruncated},
		{Name: "no signature", Hex: introNoExts, Err: ErrTruncated},
		{Name: "short signature", Hex: introNoExts + "0040" + introMAC, Err: ErrTruncated},
		{Name: "signature of 32 bytes", Hex: introNoExts + "0020" + introMAC, Err: ErrMalformed},
	},
	Refused: []wiretest.Refused[EstablishIntro]{
		{Name: "extensions out of order", Msg: EstablishIntro{Exts: circext.List{{Type: 2}, {Type: 1}}}, Err: circext.ErrOrder},
	},
	Stricter: circext.ErrOrder,
}

func establishIntro(signed string, exts circext.List) EstablishIntro {
	return EstablishIntro{
		AuthKey: [32]byte(wiretest.Unhex(introKey)),
		Exts:    exts,
		MAC:     [32]byte(wiretest.Unhex(introMAC)),
		Sig:     [64]byte(wiretest.Unhex(introSig)),
		Signed:  wiretest.Unhex(signed),
	}
}

func TestEstablishIntro(t *testing.T) { establishIntroTable.Test(t) }
func FuzzEstablishIntro(f *testing.F) { establishIntroTable.Fuzz(f) }

// What MAC and signature cover must be exactly what the other implementation covered.
// https://spec.torproject.org/rend-spec/introduction-protocol.html
func TestEstablishIntroProofs(t *testing.T) {
	m, err := ParseEstablishIntro(wiretest.Unhex(introNoExts + "0040" + introSig))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := m.AppendSigned([]byte(EstablishIntroPrefix))
	if err != nil || string(signed) != EstablishIntroPrefix+string(m.Signed) {
		t.Fatalf("signed is %x, %v\nreceived %x", signed, err, m.Signed)
	}
	if !ed25519.Verify(m.AuthKey[:], signed, m.Sig[:]) {
		t.Error("the signature is not over Signed")
	}
	maced, err := m.AppendMACed(nil)
	if err != nil || !strings.HasPrefix(string(m.Signed), string(maced)) || len(m.Signed)-len(maced) != 32 {
		t.Fatalf("under the MAC is %x, %v\nsigned %x", maced, err, m.Signed)
	}
	if EstablishIntroMAC([20]byte(wiretest.Unhex(introKH)), maced) != m.MAC {
		t.Error("the MAC is not over what AppendMACed gives")
	}
}
