package cell

import (
	"fmt"
	"testing"
)

func TestNames(t *testing.T) {
	for _, c := range []struct {
		got  fmt.Stringer
		want string
	}{
		{CmdPadding, "PADDING"},
		{CmdPaddingNegotiate, "PADDING_NEGOTIATE"},
		{CmdAuthorize, "AUTHORIZE"},
		{Command(13), "command 13"},
		{Command(255), "command 255"},
		{HandshakeTAP, "TAP"},
		{HandshakeNTor, "ntor"},
		{HandshakeNTorV3, "ntor-v3"},
		{HandshakeType(1), "handshake 1"},
		{DestroyNone, "NONE"},
		{DestroyProtocol, "PROTOCOL"},
		{DestroyNoSuchService, "NOSUCHSERVICE"},
		{DestroyReason(13), "reason 13"},
		{DestroyReason(255), "reason 255"},
	} {
		if got := c.got.String(); got != c.want {
			t.Errorf("%#v: got %q, want %q", c.got, got, c.want)
		}
	}
}
