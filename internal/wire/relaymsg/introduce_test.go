package relaymsg

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/circext"
	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const (
	noLegacyKey      = "0000000000000000000000000000000000000000"
	introduceKey     = "11aaa1ba28353424061a63326c3bff4fe4ec7ec24bb5eb740e9d167def103206"
	introduceHead    = noLegacyKey + "02 0020" + introduceKey
	introducePayload = `1e99c1b9b0c24e6c63e9a182c33a8969df94d08fd9fe98d82e21b262ae6cbc4e58971d6a38426c5d52519ab03377274af74d
		2332c8fb599bfcbc5f2b02ecdac4025ee24b63a824101e29eb9917b1c3a72e16fa2336dc81d0d483d31b9181f7cf628272fa
		7988301adce3b400880c25633718503b10c9f8909dfa50aeedb90d7fd9d0090dbfac4e61d527f97fd8c0a8bab3dabf9a5e3c
		7fcd5ff843905f2c401743f5019b04a2f1427d3b2343a388846b7eacdd9fd46a24776d0ddde3696a90ee36dc4732a95bfaff
		871aede3bb5dd86047905b716148a27ff3c8a5b0f5282dd5430da7e2a421d5274281eac6c0eae94eb17996ee81953fb700dd
		6d1dc4b7`
)

var introduceTable = wiretest.Table[Introduce]{
	Spec:   "https://spec.torproject.org/rend-spec/introduction-protocol.html",
	Parse:  ParseIntroduce,
	Append: Introduce.AppendTo,
	Good: []wiretest.Good[Introduce]{
		{
			Name: "from C tor", Hex: introduceHead + "00" + introducePayload,
			Msg: Introduce{[32]byte(wiretest.Unhex(introduceKey)), circext.List{}, wiretest.Unhex(introducePayload)},
		},
		{
			Name: "unknown extensions", Hex: introduceHead + "02 01 01 00 02 01 00 01090804",
			Msg: Introduce{
				AuthKey:   [32]byte(wiretest.Unhex(introduceKey)),
				Exts:      circext.List{{Type: 1, Body: []byte{0}}, {Type: 2, Body: []byte{0}}},
				Encrypted: []byte{1, 9, 8, 4},
			},
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "version 2 service", Hex: "10" + noLegacyKey[2:] + "02 0020" + introduceKey + "00 01090804", Err: ErrVersion},
		{Name: "no key", Hex: noLegacyKey + "02", Err: ErrTruncated},
		{Name: "key of 4 bytes", Hex: noLegacyKey + "02 0004 00010203 00 01090804", Err: ErrMalformed},
		{Name: "key of another type", Hex: noLegacyKey + "03 0020" + introduceKey + "00 01090804", Err: ErrMalformed},
		{Name: "no extensions", Hex: introduceHead, Err: circext.ErrTruncated},
		{Name: "extension missing", Hex: introduceHead + "02 01 00", Err: circext.ErrTruncated},
		{Name: "nothing encrypted", Hex: introduceHead + "00", Err: ErrTruncated},
		{Name: "too long for v1", Hex: introduceHead + "00" + zeros(490-56+1), Err: ErrTooLong},
	},
	Refused: []wiretest.Refused[Introduce]{
		{Name: "too long for v1", Msg: Introduce{Encrypted: make([]byte, 490-56+1)}, Err: ErrTooLong},
		{Name: "extensions out of order", Msg: Introduce{Exts: circext.List{{Type: 2}, {Type: 2}}}, Err: circext.ErrOrder},
	},
	Stricter: circext.ErrOrder,
}

// zeros is n zero bytes in hexadecimal.
func zeros(n int) string { return text(string(make([]byte, n))) }

func TestIntroduce(t *testing.T) { introduceTable.Test(t) }
func FuzzIntroduce(f *testing.F) { introduceTable.Fuzz(f) }
