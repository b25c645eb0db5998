package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// encode returns a value as --dump-config has it: sizes in bytes, times in seconds.
func encode(value any) string {
	switch x := value.(type) {
	case bool:
		if x {
			return "1"
		}
		return "0"
	case float64:
		return strconv.FormatFloat(x, 'f', 6, 64)
	case time.Duration:
		return strconv.FormatInt(int64(x/time.Second), 10)
	case []string:
		return strings.Join(x, ",")
	}
	return fmt.Sprint(value)
}

// text returns the value of an option that is not a list.
func (v *Values) text(o *Option) string {
	if d, ok := v.value(o).(time.Duration); ok && o.Kind == MsecInterval {
		return strconv.FormatInt(d.Milliseconds(), 10)
	}
	return encode(v.value(o))
}

// Dump returns a torrc that gives these values, without what SAVECONF leaves out. If base is not nil, what is the same
// there is left out too.
func (v *Values) Dump(base *Values) []byte {
	var out []byte
	for _, o := range options {
		switch {
		case o.Kind == Obsolete || o.Transient() || o.Group != "":
			continue // the lines of a group come with its Virtual option
		case o.Kind == Virtual || o.Kind == Lines:
			out = v.dumpList(out, o.list(), base)
			continue
		}
		text := v.text(o)
		unset := text == "" && o.Default == "" && (o.Kind == String || o.Kind == Filename)
		if unset || o.Part == ownPart && text == o.Default || base != nil && text == base.text(o) {
			continue
		}
		out = torrc.Line{Key: o.Name, Value: text}.AppendTo(out)
	}
	return out
}

func (v *Values) dumpList(out []byte, name string, base *Values) []byte {
	var lines, old []byte
	for _, l := range v.lists[name] {
		if !option(l.Key).Transient() {
			lines = torrc.Line{Key: l.Key, Value: l.Value}.AppendTo(lines)
		}
	}
	if base != nil {
		old = base.dumpList(nil, name, nil)
	}
	if string(lines) == string(old) {
		return out
	}
	return append(out, lines...)
}
