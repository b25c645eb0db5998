package cell

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const challengeHex = "00da5c085dee4f3656710da3b73652e48acd5bae608335fca3fb6c4dee104a51"

var challenge = [32]byte(wiretest.Unhex(challengeHex))

var authChallengeTable = wiretest.Table[AuthChallenge]{
	Spec:   "https://spec.torproject.org/tor-spec/negotiating-channels.html",
	Parse:  ParseAuthChallenge,
	Append: AuthChallenge.AppendTo,
	Good: []wiretest.Good[AuthChallenge]{
		{Name: "two methods", Hex: challengeHex + "0002 0001 0003", Msg: AuthChallenge{challenge, []uint16{1, 3}}},
		{Name: "no methods", Hex: challengeHex + "0000", Msg: AuthChallenge{challenge, []uint16{}}},
		{
			Name: "bytes at the end", Hex: challengeHex + "0001 0003 ff", Canonical: challengeHex + "0001 0003",
			Msg: AuthChallenge{challenge, []uint16{3}},
		},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "half a challenge", Hex: challengeHex[:32], Err: ErrTruncated},
		{Name: "no count", Hex: challengeHex + "00", Err: ErrTruncated},
		{Name: "method missing", Hex: challengeHex + "0002 0003", Err: ErrTruncated},
		{Name: "half a method", Hex: challengeHex + "0001 00", Err: ErrTruncated},
		{Name: "most methods", Hex: challengeHex + "ffff 0003", Err: ErrTruncated},
	},
	Refused: []wiretest.Refused[AuthChallenge]{
		{Name: "too many methods", Msg: AuthChallenge{Methods: make([]uint16, 0x10000)}, Err: ErrTooLong},
	},
}

func TestAuthChallenge(t *testing.T) { authChallengeTable.Test(t) }
func FuzzAuthChallenge(f *testing.F) { authChallengeTable.Fuzz(f) }

func TestOffers(t *testing.T) {
	m := AuthChallenge{Methods: []uint16{1, AuthEd25519SHA256RFC5705}}
	if !m.Offers(AuthEd25519SHA256RFC5705) || m.Offers(2) {
		t.Errorf("methods %v are not what is offered", m.Methods)
	}
}
