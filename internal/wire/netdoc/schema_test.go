package netdoc

import (
	"errors"
	"testing"
)

var testSchema = NewSchema(
	Rule{Keyword: "start", Min: 1, Max: 1, MinArgs: 1, Place: First},
	Rule{Keyword: "key", Max: 1, Object: NeedObject},
	Rule{Keyword: "may", Max: Any, MaxArgs: 1, Object: MayObject},
	Rule{Keyword: "@note", Max: 1},
	Rule{Keyword: "end", Min: 1, Max: 1, Place: Last},
)

func checkDoc(s *Schema, doc string) error {
	c := s.NewChecker()
	sc := NewScanner([]byte(doc), Options{Annotations: true})
	for sc.Next() {
		if _, err := c.Item(sc.Item()); err != nil {
			return err
		}
	}
	if sc.Err() != nil {
		return sc.Err()
	}
	return c.End()
}

func TestSchema(t *testing.T) {
	const object = "-----BEGIN A-----\n-----END A-----\n"
	tests := []struct {
		name, doc string
		want      error
	}{
		{"least", "start 1\nend\n", nil},
		{"all", "@note\n@other\nstart 1 2\nkey\n" + object + "may\n" + object + "may 1\nunknown\n" + object + "end\n", nil},
		{"empty", "", ErrMissing},
		{"no end", "start 1\n", ErrMissing},
		{"no start", "unknown\nend\n", ErrMisplaced},
		{"known item first", "key\n" + object + "start 1\nend\n", ErrMisplaced},
		{"start later", "end\nstart 1\n", ErrMisplaced},
		{"start twice", "start 1\nstart 1\nend\n", ErrTooMany},
		{"annotation twice", "@note\n@note\nstart 1\nend\n", ErrTooMany},
		{"item after the end", "start 1\nend\nunknown\n", ErrMisplaced},
		{"too few arguments", "start\nend\n", ErrMissing},
		{"too many arguments", "start 1\nmay 1 2\nend\n", ErrTooMany},
		{"object missing", "start 1\nkey\nend\n", ErrMissing},
		{"object not allowed", "start 1\n" + object + "end\n", ErrMisplaced},
	}
	for _, tt := range tests {
		if err := checkDoc(testSchema, tt.doc); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, err := range map[string]error{
		`line 2, item "start": too many`: checkDoc(testSchema, "start 1\nstart 1\nend\n"),
		`item "end": missing`:            checkDoc(testSchema, "start 1\n"),
		`line 1: malformed keyword`:      checkDoc(testSchema, "_\n"),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
