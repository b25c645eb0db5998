package relayname

import (
	"strings"
	"testing"
)

func TestIsNickname(t *testing.T) {
	for _, good := range []string{"a", "Unnamed", "0", "Nick5678901234567890"[:19]} {
		if !IsNickname(good) || !IsNickname([]byte(good)) {
			t.Errorf("%q is refused", good)
		}
	}
	for _, bad := range []string{"", "a b", "a_b", "$a", "é", "Nick5678901234567890", "a\x00", "@", "[", "`", "{", "/", ":"} {
		if IsNickname(bad) || IsNickname([]byte(bad)) {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestFingerprint(t *testing.T) {
	digits := "ab" + strings.Repeat("0", 38)
	want := [20]byte{0xab}
	for _, good := range []string{digits, "$" + digits, "$" + strings.ToUpper(digits), digits + "=nick", "$" + digits + "~nick"} {
		if got, ok := ParseFingerprint(good); !ok || got != want {
			t.Errorf("%q: %x, %v", good, got, ok)
		}
	}
	for _, bad := range []string{
		"", "$", digits[1:], "$$" + digits, digits + "0", digits + "=", digits + "~a b", digits + "-nick", "x" + digits[1:],
		digits[:39] + "x",
	} {
		if got, ok := ParseFingerprint(bad); ok || got != [20]byte{} {
			t.Errorf("%q: %x, %v", bad, got, ok)
		}
	}
	if got := FormatFingerprint(want); got != "$"+strings.ToUpper(digits) {
		t.Errorf("got %s", got)
	}
}

func FuzzParseFingerprint(f *testing.F) {
	f.Add("$" + strings.Repeat("aB", 20) + "~nick")
	f.Fuzz(func(t *testing.T, s string) {
		if id, ok := ParseFingerprint(s); ok {
			if again, ok := ParseFingerprint(FormatFingerprint(id)); !ok || again != id {
				t.Fatalf("%q: %x, %x", s, id, again)
			}
		}
	})
}
