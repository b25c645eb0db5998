package relaymsg

import (
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/wiretest"
)

var resolveTable = wiretest.Table[Resolve]{
	Spec:   "https://spec.torproject.org/tor-spec/remote-hostname-lookup.html",
	Parse:  ParseResolve,
	Append: Resolve.AppendTo,
	Good: []wiretest.Good[Resolve]{
		{Name: "name", Hex: text("www.torproject.org\x00"), Msg: Resolve{"www.torproject.org"}},
		{Name: "reverse", Hex: text("1.0.0.127.in-addr.arpa\x00"), Msg: Resolve{"1.0.0.127.in-addr.arpa"}},
		{Name: "bytes at the end", Hex: text("a\x00b"), Canonical: text("a\x00"), Msg: Resolve{"a"}},
		{Name: "longest", Hex: text(strings.Repeat("a", 255) + "\x00"), Msg: Resolve{strings.Repeat("a", 255)}},
	},
	Bad: []wiretest.Bad{
		{Name: "empty body", Hex: "", Err: ErrTruncated},
		{Name: "no NUL", Hex: text("www.torproject.org"), Err: ErrTruncated},
		{Name: "no name", Hex: "00", Err: ErrMalformed},
		{Name: "space", Hex: text("a b\x00"), Err: ErrMalformed},
		{Name: "not ASCII", Hex: text("torproject™.org\x00"), Err: ErrMalformed},
		{Name: "too long", Hex: text(strings.Repeat("a", 256) + "\x00"), Err: ErrTooLong},
	},
	Refused: []wiretest.Refused[Resolve]{
		{Name: "no name", Msg: Resolve{}, Err: ErrMalformed},
		{Name: "NUL", Msg: Resolve{"a\x00b"}, Err: ErrMalformed},
	},
}

func TestResolve(t *testing.T) { resolveTable.Test(t) }
func FuzzResolve(f *testing.F) { resolveTable.Fuzz(f) }
