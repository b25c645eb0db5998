package inspect

import (
	"bytes"
	"encoding/json"
	"time"
)

// An Object is what is told of a thing: named values in order. A value is a string, a whole number, a share, a bool, a time.Time,
// a []string, a Table or an Object.
type Object []Field

// A Field is a named value.
type Field struct {
	Name  string
	Value any
}

// add appends a field, unless the value is empty text or an empty list.
func (o *Object) add(name string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case []string:
		if len(v) == 0 {
			return
		}
	case time.Time:
		if v.IsZero() {
			return
		}
		if v.Year() > 9999 {
			value = text(v) // JSON has no time for it
		}
	case Table:
		if len(v.Rows) == 0 {
			return
		}
	}
	*o = append(*o, Field{name, value})
}

// Get returns a value, nil if there is none of this name.
func (o Object) Get(name string) any {
	for _, f := range o {
		if f.Name == name {
			return f.Value
		}
	}
	return nil
}

// MarshalJSON keeps the order.
func (o Object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendMember(b, f.Name, f.Value); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendMember(b []byte, name string, value any) ([]byte, error) {
	key, err := json.Marshal(name)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return append(append(append(b, key...), ':'), bytes.TrimSpace(out.Bytes())...), nil
}

// A Table is a list of things that are told alike.
type Table struct {
	Columns []string
	Rows    [][]any // as many values as Columns; nil if not told
}

func (t *Table) row(values ...any) { t.Rows = append(t.Rows, values) }

// MarshalJSON writes a list of objects.
func (t Table) MarshalJSON() ([]byte, error) {
	list := make([]Object, len(t.Rows))
	for i, row := range t.Rows {
		for j, v := range row {
			if v != nil {
				list[i] = append(list[i], Field{t.Columns[j], v})
			}
		}
	}
	return json.Marshal(list)
}

// Verdict is what came out of a check.
type Verdict uint8

// The verdicts.
const (
	Unknown Verdict = iota // something is missing that the check needs
	OK
	Bad
)

// String names the verdict.
func (v Verdict) String() string { return [...]string{"unknown", "ok", "bad"}[v] }

// MarshalText is the form in JSON.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

func verdict(ok bool) Verdict {
	if ok {
		return OK
	}
	return Bad
}

// A Check is one thing that was looked at.
type Check struct {
	Name   string  `json:"check"`
	Result Verdict `json:"result"`
	Note   string  `json:"note,omitempty"`
}

// A Document is what was found out about one document.
type Document struct {
	Kind   string // such as "consensus", "router descriptor"
	Line   int    // where it begins in its file, from 1
	Err    string // why it could not be read; names the line of the file
	Fields Object
	Checks []Check
	Short  Object // the few fields that tell it from its like

	net func() *network // of a consensus or vote, for comparing
}

func (d *Document) check(name string, v Verdict, note string) {
	d.Checks = append(d.Checks, Check{name, v, note})
}

// Sound reports whether nothing is wrong with the document.
func (d *Document) Sound() bool {
	for _, c := range d.Checks {
		if c.Result == Bad {
			return false
		}
	}
	return d.Err == ""
}

// MarshalJSON puts the fields beside kind and checks.
func (d *Document) MarshalJSON() ([]byte, error) {
	o := Object{{"kind", d.Kind}, {"line", d.Line}, {"sound", d.Sound()}}
	o.add("error", d.Err)
	o = append(o, d.Fields...)
	if d.Checks != nil {
		o = append(o, Field{"checks", d.Checks})
	}
	return o.MarshalJSON()
}
