package statedoc

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// MaxLen bounds a state file, in bytes. A relay's is some 20 KB, mostly history.
const MaxLen = 4 << 20

// Document is a state file. The zero Document is empty and ready.
type Document struct {
	head    string // comments before the first entry
	entries []entry
}

// entry is one key with its value.
type entry struct {
	key, value string
	text       string // as read, with the comments that follow it; empty if the entry is new or changed
}

// Parse reads a state file.
func Parse(data []byte) (*Document, error) {
	if len(data) > MaxLen {
		return nil, ErrTooLong
	}
	lines, err := torrc.Parse("state", string(data), nil)
	if err != nil {
		return nil, err
	}
	d := new(Document)
	rest, num := string(data), 1 // what is not yet taken, and its line number
	take := func(until int) string {
		n := 0
		for ; num < until && n < len(rest); num++ {
			line := strings.IndexByte(rest[n:], '\n') + 1
			if line == 0 {
				line = len(rest) - n
			}
			n += line
		}
		text := rest[:n]
		rest = rest[n:]
		return text
	}
	end := len(data) + 2 // beyond the last line
	for i, l := range lines {
		if i == 0 {
			d.head = take(l.Num)
		}
		until := end
		if i+1 < len(lines) {
			until = lines[i+1].Num
		}
		e := entry{key: opPrefix[l.Op] + l.Key, value: l.Value, text: take(until)}
		if continued(e.text) {
			e.text = "" // what follows it might be taken for a part of it
		}
		d.entries = append(d.entries, e)
	}
	if len(lines) == 0 {
		d.head = rest
	}
	return d, nil
}

// opPrefix undoes what torrc makes of the first character of a key: in a state file it means nothing.
var opPrefix = map[torrc.Op]string{torrc.Append: "+", torrc.Clear: "/"}

// continued reports whether some line of text ends in a backslash.
func continued(text string) bool {
	return strings.Contains(strings.ReplaceAll(text+"\n", "\r\n", "\n"), "\\\n")
}

// AppendTo appends the file to dst. What has not been changed is as it was read.
func (d *Document) AppendTo(dst []byte) []byte {
	dst = append(dst, d.head...)
	for _, e := range d.entries {
		if n := len(dst); n > 0 && dst[n-1] != '\n' {
			dst = append(dst, '\n') // the last line that was read had no end
		}
		if e.text != "" {
			dst = append(dst, e.text...)
		} else {
			dst = torrc.Line{Key: e.key, Value: e.value}.AppendTo(dst)
		}
	}
	return dst
}

// Get returns the value of the last entry of that name, which is the one that counts; names do not depend on case.
func (d *Document) Get(key string) (value string, ok bool) {
	for v := range d.All(key) {
		value, ok = v, true
	}
	return value, ok
}

// All yields the values of all entries of that name.
func (d *Document) All(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, e := range d.entries {
			if strings.EqualFold(e.key, key) && !yield(e.value) {
				return
			}
		}
	}
}

// Set replaces all entries of that name by the given values; without values it removes them. New entries go where the
// old were, or where the key belongs by the alphabet, as in C tor. A value is any text without a zero byte.
func (d *Document) Set(key string, values ...string) {
	if slices.Equal(slices.Collect(d.All(key)), values) {
		return
	}
	at := d.place(key)
	fresh := make([]entry, len(values))
	for i, v := range values {
		fresh[i] = entry{key: key, value: v}
	}
	rest := slices.DeleteFunc(slices.Clone(d.entries[at:]), func(e entry) bool { return strings.EqualFold(e.key, key) })
	d.entries = slices.Concat(d.entries[:at], fresh, rest)
}

// place returns the index of the first entry of that name, or where to put one. No entry of the name comes before it.
func (d *Document) place(key string) int {
	after := 0
	for i, e := range d.entries {
		if strings.EqualFold(e.key, key) {
			return i
		}
		if e.key < key {
			after = i + 1
		}
	}
	return after
}

// TimeLayout is how the file holds a point in time, in UTC.
const TimeLayout = "2006-01-02 15:04:05"

// Time returns the value of a key as a time. A missing or malformed one is the zero time.
func (d *Document) Time(key string) time.Time {
	v, _ := d.Get(key)
	return parseTime(TimeLayout, v)
}

// parseTime returns the zero time for what is no time since 1970.
func parseTime(layout, s string) time.Time {
	t, err := time.Parse(layout, s)
	if err != nil || len(s) != len(layout) || t.Unix() <= 0 { // Parse would take a fraction of a second
		return time.Time{}
	}
	return t
}

// SetTime sets a key to a time, or removes it if the time is zero.
func (d *Document) SetTime(key string, t time.Time) {
	if t.IsZero() {
		d.Set(key)
		return
	}
	d.Set(key, t.UTC().Format(TimeLayout))
}

// Int returns the value of a key as a number. A missing or malformed one, or a negative, is 0.
func (d *Document) Int(key string) int64 {
	v, _ := d.Get(key)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// SetInt sets a key to a number.
func (d *Document) SetInt(key string, n int64) { d.Set(key, strconv.FormatInt(n, 10)) }

// obsoleteKeys are those of versions long gone. C tor drops them (obsolete_state_keys).
var obsoleteKeys = []string{
	"AccountingBytesReadInterval", "EntryGuard", "EntryGuardAddedBy", "EntryGuardDownSince", "EntryGuardPathBias",
	"EntryGuardPathUseBias", "EntryGuardUnlistedSince", "EntryNode", "EntryNodeUnlistedSince", "HelperNode",
	"HelperNodeDownSince", "HelperNodeUnlistedSince", "HidServRevCounter",
}

// Stamp prepares the document for writing, as C tor does: it renews the comment at the top, TorVersion and LastWritten,
// and drops obsolete keys. The version is such as "Tor 0.4.9.11"; the comment tells the time in the zone of now.
func (d *Document) Stamp(now time.Time, version string) {
	d.head = fmt.Sprintf("# Tor state file last generated on %s local time\n# Other times below are in UTC\n"+
		"# You *do not* need to edit this file.\n\n", now.Format(TimeLayout))
	for _, key := range obsoleteKeys {
		d.Set(key)
	}
	d.SetTime("LastWritten", now)
	d.Set("TorVersion", version)
}
