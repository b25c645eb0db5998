package netdoc

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

func TestEncoder(t *testing.T) {
	body := bytes.Repeat([]byte{0xfb}, 50)
	e := NewEncoder([]byte("head\n"))
	e.Item("router", "Nick").Str("1.2.3.4").Uint(9001)
	e.Item("published").Time(time.Date(2024, 2, 29, 1, 2, 3, 0, time.FixedZone("x", 3600)))
	e.Item("fp").Hex([]byte{0, 0xab}).Base64([]byte{1}).PaddedBase64([]byte{1})
	e.Item("params").KeyInt("a", -1).KeyInt("b", 2)
	e.Item("client-versions").Rest("")
	e.Item("contact").Rest("a  b")
	e.Item("key").Object("A KEY", body)
	e.Document([]byte("x\ny\n"))
	e.Item("end")
	got, err := e.Bytes()
	const want = "head\nrouter Nick 1.2.3.4 9001\npublished 2024-02-29 00:02:03\nfp 00AB AQ AQ==\nparams a=-1 b=2\n" +
		"client-versions \ncontact a  b\nkey\n-----BEGIN A KEY-----\n" +
		"+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7\n+/s=\n-----END A KEY-----\nx\ny\nend\n"
	if err != nil || string(got) != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	s := NewScanner(got, Options{})
	for s.Next() {
		if it := s.Item(); it.Is("key") {
			if b, err := it.Object.Decode("A KEY", 50, 50); err != nil || !bytes.Equal(b, body) {
				t.Errorf("object: %x, %v", b, err)
			}
		}
	}
}

func TestEncoderRefuses(t *testing.T) {
	tests := []struct {
		name  string
		write func(e *Encoder)
		want  error
	}{
		{"newline in an argument", func(e *Encoder) { e.Item("a", "b\nc") }, ErrUnsafe},
		{"space in an argument", func(e *Encoder) { e.Item("a", "b c") }, ErrUnsafe},
		{"empty argument", func(e *Encoder) { e.Item("a", "") }, ErrUnsafe},
		{"newline in the rest", func(e *Encoder) { e.Item("contact").Rest("me\nrouter x") }, ErrUnsafe},
		{"NUL in the rest", func(e *Encoder) { e.Item("contact").Rest("\x00") }, ErrUnsafe},
		{"bad keyword", func(e *Encoder) { e.Item("a b") }, ErrBadKeyword},
		{"empty keyword", func(e *Encoder) { e.Item("") }, ErrBadKeyword},
		{"bad tag", func(e *Encoder) { e.Item("a").Object("A\nB", nil) }, ErrUnsafe},
		{"bad document", func(e *Encoder) { e.Document([]byte("a")) }, ErrTruncated},
	}
	for _, tt := range tests {
		e := NewEncoder(nil)
		tt.write(e)
		e.Item("more")
		if _, err := e.Bytes(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestObjectRefuses(t *testing.T) {
	tests := []struct {
		name        string
		o           Object
		least, most int
		want        error
	}{
		{"no object", Object{}, 0, 9, ErrMissing},
		{"other tag", Object{Tag: []byte("B")}, 0, 9, ErrBadObject},
		{"bad base64", Object{Tag: []byte("A"), Text: []byte("A")}, 0, 9, ErrBadObject},
		{"too short", Object{Tag: []byte("A"), Text: []byte("AAAA\n")}, 4, 9, ErrBadObject},
		{"too long", Object{Tag: []byte("A"), Text: []byte("AAAA\n")}, 0, 2, ErrBadObject},
		{"much too long", Object{Tag: []byte("A"), Text: bytes.Repeat([]byte("AAAA\n"), 100)}, 0, 2, ErrTooLong},
	}
	for _, tt := range tests {
		if got, err := tt.o.Decode("A", tt.least, tt.most); !errors.Is(err, tt.want) || len(got) > 0 {
			t.Errorf("%s: %x, %v, want %v", tt.name, got, err, tt.want)
		}
	}
}
