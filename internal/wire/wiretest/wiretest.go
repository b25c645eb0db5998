// Package wiretest tests messages: each has a parser, a function that appends it to a slice, and a Table of bodies good
// and bad. One Table serves an ordinary test and a fuzz target.
package wiretest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// Table is what is known about the encoding of a message of type M.
type Table[M any] struct {
	Spec   string // link to the specification, printed with failures
	Parse  func([]byte) (M, error)
	Append func(M, []byte) ([]byte, error)

	Good    []Good[M]
	Bad     []Bad
	Refused []Refused[M]

	// Stricter is an error with which Append refuses some of what Parse lets through; nil if there is none.
	Stricter error
}

// Good is a body that is in order.
type Good[M any] struct {
	Name      string
	Hex       string // of the body, as for Unhex
	Msg       M
	Canonical string // what Append makes of Msg, if that is not Hex; " " for nothing
}

// Bad is a body that Parse refuses with an error.
type Bad struct {
	Name string
	Hex  string
	Err  error
}

// Refused is a message that Append refuses with an error.
type Refused[M any] struct {
	Name string
	Msg  M
	Err  error
}

// Unhex decodes hexadecimal digits, among which there may be white space. It panics on anything else, so that tables can
// use it.
func Unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// Test checks every entry of the table.
func (x Table[M]) Test(t *testing.T) {
	for _, c := range x.Good {
		t.Run(c.Name, func(t *testing.T) {
			got, err := x.Parse(Unhex(c.Hex))
			if err != nil || !reflect.DeepEqual(got, c.Msg) {
				t.Errorf("parsed %s:\n got %+v, %v\nwant %+v\nsee %s", c.Hex, got, err, c.Msg, x.Spec)
			}
			if c.Canonical == "" {
				c.Canonical = c.Hex
			}
			want := Unhex(c.Canonical)
			b, err := x.Append(c.Msg, nil)
			if err != nil || !bytes.Equal(b, want) {
				t.Errorf("encoded %+v:\n got %x, %v\nwant %x\nsee %s", c.Msg, b, err, want, x.Spec)
			}
		})
	}
	for _, c := range x.Bad {
		t.Run(c.Name, func(t *testing.T) {
			got, err := x.Parse(Unhex(c.Hex))
			if !errors.Is(err, c.Err) {
				t.Errorf("parsed %s:\n got error %v\nwant error %v\nsee %s", c.Hex, err, c.Err, x.Spec)
			}
			if !reflect.ValueOf(&got).Elem().IsZero() {
				t.Errorf("got %+v beside error %v", got, err)
			}
		})
	}
	for _, c := range x.Refused {
		t.Run(c.Name, func(t *testing.T) {
			if b, err := x.Append(c.Msg, nil); !errors.Is(err, c.Err) || b != nil {
				t.Errorf("encoded %+v:\n got %x, %v\nwant error %v\nsee %s", c.Msg, b, err, c.Err, x.Spec)
			}
		})
	}
}

// Fuzz parses what the fuzzer finds, appends it and parses it again, which must give the same message and the same bytes.
// The bodies of the table are the seeds.
func (x Table[M]) Fuzz(f *testing.F) {
	for _, c := range x.Good {
		f.Add(Unhex(c.Hex))
	}
	for _, c := range x.Bad {
		f.Add(Unhex(c.Hex))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		m, err := x.Parse(body)
		if !bytes.Equal(body, before) {
			t.Fatalf("the parser changed its input: %x, was %x", body, before)
		}
		if err != nil {
			return
		}
		encoded, err := x.Append(m, nil)
		if err != nil {
			if x.Stricter != nil && errors.Is(err, x.Stricter) {
				return
			}
			t.Fatalf("%x parses as %+v and cannot be encoded: %v", body, m, err)
		}
		again, err := x.Parse(encoded)
		if err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("%x parses as\n%+v, encoded as %x, which parses as\n%+v, %v", body, m, encoded, again, err)
		}
		prefixed, err := x.Append(again, []byte("before"))
		if want := append([]byte("before"), encoded...); err != nil || !bytes.Equal(prefixed, want) {
			t.Fatalf("appended %+v:\n got %x, %v\nwant %x", again, prefixed, err, want)
		}
	})
}
