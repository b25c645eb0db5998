package circext

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var subprotocolsTable = wiretest.Table[Subprotocols]{
	Spec:  "https://spec.torproject.org/proposals/346-protovers-again.html",
	Parse: ParseSubprotocols,
	Append: func(m Subprotocols, dst []byte) ([]byte, error) {
		e, err := m.Extension()
		if err != nil {
			return nil, err
		}
		return append(dst, e.Body...), nil
	},
	Good: []wiretest.Good[Subprotocols]{
		{Name: "none", Hex: "", Msg: Subprotocols{}},
		{Name: "CGO", Hex: "02 06", Msg: Subprotocols{CGO}},
		{Name: "several", Hex: "00 04 02 04 02 06", Msg: Subprotocols{{0, 4}, {2, 4}, CGO}},
	},
	Bad: []wiretest.Bad{
		{Name: "odd length", Hex: "00 04 02", Err: ErrTruncated},
		{Name: "repeated", Hex: "00 04 00 04", Err: ErrOrder},
		{Name: "protocols descending", Hex: "02 04 00 06", Err: ErrOrder},
		{Name: "versions descending", Hex: "02 06 02 04", Err: ErrOrder},
	},
	Refused: []wiretest.Refused[Subprotocols]{
		{Name: "not sorted", Msg: Subprotocols{{2, 6}, {2, 4}}, Err: ErrOrder},
		{Name: "too many", Msg: manyCapabilities(128), Err: ErrTooLong},
	},
	Stricter: ErrTooLong, // than the parser, which does not know that an extension has at most 255 bytes
}

func manyCapabilities(n int) (m Subprotocols) {
	for i := range n {
		m = append(m, Capability{2, uint8(i)})
	}
	return m
}

func TestSubprotocols(t *testing.T) { subprotocolsTable.Test(t) }
func FuzzSubprotocols(f *testing.F) { subprotocolsTable.Fuzz(f) }
