package circext

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const powHex = "01 000102030405060708090a0b0c0d0e0f 00002710 cafebabe f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

var proofOfWork = ProofOfWork{
	Nonce:    [16]byte(wiretest.Unhex("000102030405060708090a0b0c0d0e0f")),
	Effort:   10000,
	SeedHead: [4]byte{0xca, 0xfe, 0xba, 0xbe},
	Solution: [16]byte(wiretest.Unhex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")),
}

var powTable = wiretest.Table[ProofOfWork]{
	Spec:   "https://spec.torproject.org/hspow-spec/v1-equix.html",
	Parse:  ParseProofOfWork,
	Append: func(m ProofOfWork, dst []byte) ([]byte, error) { return append(dst, m.Extension().Body...), nil },
	Good: []wiretest.Good[ProofOfWork]{
		{Name: "effort 10000", Hex: powHex, Msg: proofOfWork},
		{Name: "bytes at the end", Hex: powHex + "00", Canonical: powHex, Msg: proofOfWork},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "version alone", Hex: "01", Err: ErrTruncated},
		{Name: "one byte short", Hex: powHex[:len(powHex)-2], Err: ErrTruncated},
		{Name: "version 0", Hex: "00" + powHex[2:], Err: ErrVersion},
		{Name: "version 2", Hex: "02", Err: ErrVersion},
	},
}

func TestProofOfWork(t *testing.T) { powTable.Test(t) }
func FuzzProofOfWork(f *testing.F) { powTable.Fuzz(f) }
