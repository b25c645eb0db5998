package statedoc

import (
	"errors"
	"testing"
	"time"
)

const vanguardLine = "layer=3 rsa_id=0123456789ABCDEF0123456789ABCDEF01234567 expires=2026-01-31T12:00:00"

func TestVanguards(t *testing.T) {
	d := mustParse(t, "TorVersion Tor 0.4.9.11\nTropeaVanguard "+vanguardLine+" later=1\nTropeaVanguard layer=2\n")
	list, errs := d.Vanguards()
	want := Vanguard{3, [20]byte{1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1, 0x23, 0x45, 0x67}, time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)}
	if len(list) != 1 || list[0] != want || len(errs) != 1 {
		t.Errorf("got %v, %v", list, errs)
	}
	d.SetVanguards(list)
	if got, want := string(d.AppendTo(nil)), "TorVersion Tor 0.4.9.11\nTropeaVanguard "+vanguardLine+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	d.SetVanguards(nil)
	if got := string(d.AppendTo(nil)); got != "TorVersion Tor 0.4.9.11\n" {
		t.Errorf("without any: %q", got)
	}
	for line, want := range map[string]error{
		"":                                    ErrSyntax,
		"layer=3 expires=2026-01-31T12:00:00": ErrMissing,
		"layer=1 rsa_id=0123456789ABCDEF0123456789ABCDEF01234567 expires=2026-01-31T12:00:00": ErrSyntax,
		"layer=2 rsa_id=0123456789ABCDEF0123456789ABCDEF01234567":                             ErrSyntax,
		"layer=2 rsa_id=0123456789ABCDEF0123456789ABCDEF01234567 expires=tomorrow":            ErrSyntax,
		"layer=2 rsa_id=0123 expires=2026-01-31T12:00:00":                                     ErrSyntax,
		"layer=2 rsa_id=x expires=2026-01-31T12:00:00":                                        ErrSyntax,
	} {
		if v, err := ParseVanguard(line); !errors.Is(err, want) {
			t.Errorf("%q: %v, %v", line, v, err)
		}
	}
}

func FuzzParseVanguard(f *testing.F) {
	f.Add(vanguardLine)
	f.Fuzz(func(t *testing.T, line string) {
		v, err := ParseVanguard(line)
		if err != nil {
			return
		}
		if again, err := ParseVanguard(v.Encode()); err != nil || again != v {
			t.Fatalf("%q: %v, %v", v.Encode(), again, err)
		}
	})
}
