package relaymsg

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

const (
	rendezvousSpec   = "https://spec.torproject.org/rend-spec/rendezvous-protocol.html"
	rendezvousCookie = "4aa2baf815cebb4b922b5bf6f545aee0ddbe1254"
	rendezvousY      = "8fbe0db4d4a9c7ff46701e3e0ee7fd05cd28be4f302460addeec9e93354ee700"
	rendezvousAuth   = "4a92e8437b8424d5e5ec279245d5c72b25a0327acf6daf902079fcb643d8b208"
)

var establishRendezvousTable = wiretest.Table[EstablishRendezvous]{
	Spec:   rendezvousSpec,
	Parse:  ParseEstablishRendezvous,
	Append: EstablishRendezvous.AppendTo,
	Good: []wiretest.Good[EstablishRendezvous]{
		{Name: "from C tor", Hex: rendezvousCookie, Msg: EstablishRendezvous{[20]byte(wiretest.Unhex(rendezvousCookie))}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "19 bytes", Hex: rendezvousCookie[2:], Err: ErrTruncated},
		{Name: "21 bytes", Hex: rendezvousCookie + "01", Err: ErrTooLong},
	},
}

func TestEstablishRendezvous(t *testing.T) { establishRendezvousTable.Test(t) }
func FuzzEstablishRendezvous(f *testing.F) { establishRendezvousTable.Fuzz(f) }

var rendezvous1Table = wiretest.Table[Rendezvous1]{
	Spec:   rendezvousSpec,
	Parse:  ParseRendezvous1,
	Append: Rendezvous1.AppendTo,
	Good: []wiretest.Good[Rendezvous1]{
		{
			Name: "handshake", Hex: rendezvousCookie + "123456",
			Msg: Rendezvous1{[20]byte(wiretest.Unhex(rendezvousCookie)), []byte{0x12, 0x34, 0x56}},
		},
		{Name: "no handshake", Hex: rendezvousCookie, Msg: Rendezvous1{[20]byte(wiretest.Unhex(rendezvousCookie)), []byte{}}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "19 bytes", Hex: rendezvousCookie[2:], Err: ErrTruncated},
	},
	Refused: []wiretest.Refused[Rendezvous1]{
		{Name: "too long for v1", Msg: Rendezvous1{Handshake: make([]byte, 471)}, Err: ErrTooLong},
	},
	Stricter: ErrTooLong, // than the parser: what is longer, and fits the next hop, is passed on
}

func TestRendezvous1(t *testing.T) { rendezvous1Table.Test(t) }
func FuzzRendezvous1(f *testing.F) { rendezvous1Table.Fuzz(f) }

var rendezvous2 = Rendezvous2{[32]byte(wiretest.Unhex(rendezvousY)), [32]byte(wiretest.Unhex(rendezvousAuth))}

var rendezvous2Table = wiretest.Table[Rendezvous2]{
	Spec:   rendezvousSpec,
	Parse:  ParseRendezvous2,
	Append: Rendezvous2.AppendTo,
	Good: []wiretest.Good[Rendezvous2]{
		{Name: "handshake", Hex: rendezvousY + rendezvousAuth, Msg: rendezvous2},
		{Name: "padded", Hex: rendezvousY + rendezvousAuth + zeros(104), Canonical: rendezvousY + rendezvousAuth, Msg: rendezvous2},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "no AUTH", Hex: rendezvousY, Err: ErrTruncated},
		{Name: "63 bytes", Hex: rendezvousY + rendezvousAuth[2:], Err: ErrTruncated},
	},
}

func TestRendezvous2(t *testing.T) { rendezvous2Table.Test(t) }
func FuzzRendezvous2(f *testing.F) { rendezvous2Table.Fuzz(f) }
