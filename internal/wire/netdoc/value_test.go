package netdoc

import (
	"bytes"
	"encoding/base64"
	"errors"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	tests := []struct {
		date, clock string
		want        string // empty if it must be refused
	}{
		{"2038-01-01", "00:00:00", "2038-01-01T00:00:00Z"},
		{"2024-02-29", "23:59:59", "2024-02-29T23:59:59Z"},
		{"1970-01-01", "00:00:00", "1970-01-01T00:00:00Z"},
		{"2023-02-29", "00:00:00", ""},
		{"2100-02-29", "00:00:00", ""},
		{"2024-04-31", "00:00:00", ""},
		{"2024-00-01", "00:00:00", ""},
		{"2024-13-01", "00:00:00", ""},
		{"2024-01-00", "00:00:00", ""},
		{"1969-12-31", "23:59:59", ""},
		{"2024-01-01", "24:00:00", ""},
		{"2024-01-01", "00:60:00", ""},
		{"2024-01-01", "23:59:60", ""},
		{"2024-1-011", "00:00:00", ""},
		{"2024-01-01", "0:00:000", ""},
		{"20x4-01-01", "00:00:00", ""},
		{"2024-01-01", "", ""},
		{"", "00:00:00", ""},
	}
	for _, tt := range tests {
		got, err := ParseTime([]byte(tt.date), []byte(tt.clock))
		if tt.want == "" {
			if !errors.Is(err, ErrBadValue) {
				t.Errorf("%s %s: %v, %v", tt.date, tt.clock, got, err)
			}
		} else if err != nil || got.Format(time.RFC3339) != tt.want {
			t.Errorf("%s %s: %v, %v", tt.date, tt.clock, got, err)
		}
	}
}

func TestParseUint(t *testing.T) {
	tests := []struct {
		text  string
		limit uint64
		want  uint64
		err   error
	}{
		{"0", 0, 0, nil},
		{"65535", 65535, 65535, nil},
		{"18446744073709551615", 1<<64 - 1, 1<<64 - 1, nil},
		{"007", 9, 7, nil},
		{"18446744073709551616", 1<<64 - 1, 0, ErrBadValue},
		{"65536", 65535, 0, ErrBadValue},
		{"5", 3, 0, ErrBadValue},
		{"", 9, 0, ErrMissing},
		{"-1", 9, 0, ErrBadValue},
		{"+1", 9, 0, ErrBadValue},
		{"1 ", 9, 0, ErrBadValue},
	}
	for _, tt := range tests {
		got, err := ParseUint([]byte(tt.text), tt.limit)
		if !errors.Is(err, tt.err) || got != tt.want {
			t.Errorf("%q up to %d: %d, %v", tt.text, tt.limit, got, err)
		}
	}
}

func TestParseHex(t *testing.T) {
	var b [3]byte
	if err := ParseHex(b[:], []byte("00fFA1")); err != nil || b != [3]byte{0, 0xff, 0xa1} {
		t.Errorf("%x, %v", b, err)
	}
	for _, text := range []string{"", "00ff", "00ffa1b2", "00ffg1"} {
		if err := ParseHex(b[:], []byte(text)); !errors.Is(err, ErrBadValue) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseBase64(t *testing.T) {
	for n := range 70 {
		want := make([]byte, n)
		for i := range want {
			want[i] = byte(i*37 + n)
		}
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
			got, text := make([]byte, n), enc.AppendEncode(nil, want)
			if err := ParseBase64(got, text); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %x, %v, want %x", text, got, err, want)
			}
		}
	}
	bad := []struct {
		name, text string
		n          int
	}{
		{"empty", "", 1},
		{"too short", "AAA", 3},
		{"too long", "AAAAA", 3},
		{"half padded", "AA=", 1},
		{"padding where none belongs", "AAAA=", 3},
		{"loose bits of one byte", "AB", 1},
		{"loose bits of two bytes", "AAB", 2},
		{"bad byte", "A*AA", 3},
		{"bad byte in the last group", "A*", 1},
		{"newline", "AA\nA", 3},
		{"URL alphabet", "A-_A", 3},
	}
	for _, tt := range bad {
		if err := ParseBase64(make([]byte, tt.n), []byte(tt.text)); !errors.Is(err, ErrBadValue) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzParseBase64(f *testing.F) {
	f.Add([]byte("AAECAwQFBgcICQoLDA0ODxAREhM"), 20)
	f.Fuzz(func(t *testing.T, text []byte, n int) {
		if n < 0 || n > 64 {
			return
		}
		got := make([]byte, n)
		if ParseBase64(got, text) != nil {
			return
		}
		raw := bytes.TrimRight(text, "=")
		want, err := base64.RawStdEncoding.Strict().AppendDecode(nil, raw)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %x, want %x, %v", text, got, want, err)
		}
	})
}

func BenchmarkParseBase64Digest(b *testing.B) {
	text := base64.RawStdEncoding.AppendEncode(nil, make([]byte, 32))
	var out [32]byte
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := ParseBase64(out[:], text); err != nil {
			b.Fatal(err)
		}
	}
}
