package approvedrouters

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

const (
	rsa1 = "30C81762900F0BEF274E38DE65D46D876103F544"
	rsa2 = "3907674F2B7D82BD5F51298B2BB519D1E837530B"
	ed1  = "A0mJ845ouM7cL0TwxHShPWDQ+KTK9FUdmgyecj6vm4M"
	ed2  = "CP2EHvt5WslOMVyAzVVzGMUzHB55odX2tf8wab6sMMU"
)

func rsa(t testing.TB, s string) (id [20]byte) {
	t.Helper()
	if err := netdoc.ParseHex(id[:], []byte(s)); err != nil {
		t.Fatal(err)
	}
	return id
}

func ed(t testing.TB, s string) (id [32]byte) {
	t.Helper()
	if err := netdoc.ParseBase64(id[:], []byte(s)); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestList(t *testing.T) {
	text := "# comment\n\n!reject " + rsa1 + "\n!BadExit " + ed1 + " # why\n!invalid " + ed1 + "\n" +
		"!middleonly 3907 674F 2B7D 82BD 5F51 298B 2BB5 19D1 E837 530B\n!stripguard " + strings.ToLower(rsa2[:20]) + rsa2[20:] + "\n" +
		"!striphsdir " + rsa2 + "\n!stripv2dir " + rsa2 + "\nmoria1 " + ed2 + "\n"
	l, warnings, err := Parse("approved-routers", []byte(text))
	if err != nil || warnings != nil {
		t.Fatal(warnings, err)
	}
	for _, tc := range []struct {
		name string
		rsa  [20]byte
		ed   [32]byte
		want Status
	}{
		{"unknown", [20]byte{1}, [32]byte{1}, 0},
		{"by fingerprint", rsa(t, rsa1), [32]byte{}, Reject},
		{"by Ed25519 identity", [20]byte{1}, ed(t, ed1), BadExit | Invalid},
		{"by both", rsa(t, rsa1), ed(t, ed1), Reject | BadExit | Invalid},
		{"several lines", rsa(t, rsa2), [32]byte{1}, MiddleOnly | StripGuard | StripHSDir | StripV2Dir},
		{"nickname", [20]byte{1}, ed(t, ed2), 0},
	} {
		if got := l.Status(tc.rsa, tc.ed); got != tc.want {
			t.Errorf("%s: got %b, want %b", tc.name, got, tc.want)
		}
	}
	if l.Len() != 4 {
		t.Errorf("%d identities, want 4", l.Len())
	}
	if s := Reject | Invalid; !s.Has(Reject) || s.Has(Reject|BadExit) {
		t.Error("Has")
	}
}

// smallOrder is a point of order 8.
const smallOrder = "JuiVj8KyJ7BFw/SJ8u+Y8NXfrAXTxjM5sTgCiG1T/AU"

func TestBadLines(t *testing.T) {
	for name, tc := range map[string]struct {
		line string
		err  error
	}{
		"unknown word":        {"!forbid " + rsa1, ErrWord},
		"nothing":             {"!reject", ErrIdentity},
		"short fingerprint":   {"!reject " + rsa1[1:], ErrIdentity},
		"no fingerprint":      {"!reject X" + rsa1[1:], ErrIdentity},
		"dollar":              {"!reject $" + rsa1, ErrIdentity},
		"short identity":      {"!reject " + ed1[1:], ErrIdentity},
		"no base64":           {"!reject -" + ed1[1:], ErrIdentity},
		"padded":              {"!reject " + ed1 + "=", ErrIdentity},
		"not on the curve":    {"!reject " + base64.RawStdEncoding.EncodeToString(append([]byte{2}, make([]byte, 31)...)), ErrKey},
		"neutral point":       {"!reject " + base64.RawStdEncoding.EncodeToString(append([]byte{1}, make([]byte, 31)...)), ErrKey},
		"point of low order":  {"!reject " + smallOrder, ErrKey},
		"two identities":      {"!reject " + rsa1 + " " + rsa2, ErrIdentity},
		"long, and of spaces": {"!reject " + strings.Repeat("A ", 10000), ErrIdentity},
	} {
		l, warnings, err := Parse("approved-routers", []byte("\n"+tc.line+"\n!badexit "+rsa1+"\n"))
		if err != nil || len(warnings) != 1 || !errors.Is(warnings[0], tc.err) || !strings.HasPrefix(warnings[0].Error(), "approved-routers:2: ") {
			t.Errorf("%s: warnings %v, error %v, want %v", name, warnings, err, tc.err)
			continue
		}
		if l.Len() != 1 || l.Status(rsa(t, rsa1), [32]byte{}) != BadExit {
			t.Errorf("%s: the line behind it was lost", name)
		}
		if len(warnings[0].Error()) > 300 {
			t.Errorf("%s: warning of %d bytes", name, len(warnings[0].Error()))
		}
	}
	for _, text := range []string{"!reject \"" + rsa1, "\x00"} {
		if l, _, err := Parse("approved-routers", []byte(text)); err == nil || l != nil {
			t.Errorf("%q: got %v, no error", text, l)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("!reject " + rsa1 + "\n!badexit " + ed1 + "\n"))
	f.Add([]byte("!reject " + smallOrder + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, warnings, err := Parse("x", data)
		if err != nil {
			return
		}
		lines := strings.Count(string(data), "\n") + 1
		if l.Len()+len(warnings) > lines {
			t.Fatalf("%d identities and %d warnings of %d lines", l.Len(), len(warnings), lines)
		}
	})
}
