package circext

import (
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var ccResponseTable = wiretest.Table[CCResponse]{
	Spec:   "https://spec.torproject.org/proposals/324-rtt-congestion-control.html",
	Parse:  ParseCCResponse,
	Append: func(m CCResponse, dst []byte) ([]byte, error) { return append(dst, m.Extension().Body...), nil },
	Good: []wiretest.Good[CCResponse]{
		{Name: "31", Hex: "1f", Msg: CCResponse{31}},
		{Name: "bytes at the end", Hex: "ff 00", Canonical: "ff", Msg: CCResponse{255}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty", Hex: "", Err: ErrTruncated},
		{Name: "zero", Hex: "00", Err: ErrMalformed},
	},
}

func TestCCResponse(t *testing.T) { ccResponseTable.Test(t) }
func FuzzCCResponse(f *testing.F) { ccResponseTable.Fuzz(f) }

// A client asks for congestion control and CGO with one list of seven bytes.
// https://spec.torproject.org/proposals/359-cgo-redux.html
func TestRequest(t *testing.T) {
	subprotocols, err := Subprotocols{CGO}.Extension()
	if err != nil {
		t.Fatal(err)
	}
	got, err := List{CCRequest(), subprotocols}.AppendTo(nil)
	if want := wiretest.Unhex("02 01 00 03 02 02 06"); err != nil || string(got) != string(want) {
		t.Errorf("got %x, %v\nwant %x", got, err, want)
	}
}
