package inspect

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// width is how long lines of text should be at most.
const width = 120

// few is how many documents of one file are shown in full unless all are asked for.
const few = 3

// clean makes text of strangers harmless for a terminal: what is not printable is escaped.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
}

func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return clean(v)
	case time.Time:
		return v.UTC().Format(netdoc.TimeLayout)
	case []string:
		return clean(strings.Join(v, " "))
	case bool:
		if v {
			return "yes"
		}
		return "no"
	}
	return fmt.Sprint(v)
}

// AppendText appends what was found about documents of a file: each in full if they are few or all are wanted, else a line each.
func AppendText(dst []byte, docs []*Document, all bool) []byte {
	w := &writer{b: dst}
	if len(docs) <= few || all {
		for i, d := range docs {
			if i > 0 {
				w.b = append(w.b, '\n')
			}
			w.document(d)
		}
		return w.b
	}
	for len(docs) > 0 {
		var alike, others []*Document
		for _, d := range docs {
			if d.Kind == docs[0].Kind {
				alike = append(alike, d)
			} else {
				others = append(others, d)
			}
		}
		w.list(alike)
		docs = others
	}
	return w.b
}

// list writes documents of one kind, a line each.
func (w *writer) list(docs []*Document) {
	sound, t := 0, Table{}
	for _, d := range docs {
		if d.Sound() {
			sound++
		}
		if d.Err != "" {
			continue
		}
		if t.Columns == nil {
			for _, f := range d.Short {
				t.Columns = append(t.Columns, f.Name)
			}
			t.Columns = append(t.Columns, "checks")
		}
		var row []any
		for _, name := range t.Columns[:len(t.Columns)-1] {
			row = append(row, d.Short.Get(name))
		}
		t.row(append(row, d.summary())...)
	}
	w.line("%d × %s, %d of them sound", len(docs), docs[0].Kind, sound)
	if len(t.Rows) > 0 {
		w.table("  ", t)
	}
	for _, d := range docs {
		if d.Err != "" {
			w.line("  not readable: %s", clean(d.Err))
		}
	}
}

// summary is all checks in a word or two.
func (d *Document) summary() string {
	unknown := false
	for _, c := range d.Checks {
		if c.Result == Bad {
			return "BAD " + c.Name
		}
		unknown = unknown || c.Result == Unknown
	}
	if unknown {
		return "ok, as far as known"
	}
	return "ok"
}

type writer struct{ b []byte }

func (w *writer) line(format string, args ...any) {
	w.b = append(fmt.Appendf(w.b, format, args...), '\n')
}

func (w *writer) document(d *Document) {
	title := d.Kind
	if d.Line > 1 {
		title += fmt.Sprintf(", from line %d", d.Line)
	}
	w.line("%s", title)
	if d.Err != "" {
		w.line("  not readable: %s", clean(d.Err))
	}
	w.object("  ", d.Fields)
	if len(d.Checks) == 0 {
		return
	}
	w.line("  checks")
	longest := 0
	for _, c := range d.Checks {
		longest = max(longest, utf8.RuneCountInString(c.Name))
	}
	for _, c := range d.Checks {
		mark := map[Verdict]string{OK: "ok", Bad: "BAD", Unknown: "?"}[c.Result]
		w.line("%s", strings.TrimRight(fmt.Sprintf("    %-4s%-*s  %s", mark, longest, clean(c.Name), clean(c.Note)), " "))
	}
}

// object writes fields: short ones with the values in a column, tables below their names.
func (w *writer) object(indent string, o Object) {
	longest := 0
	for _, f := range o {
		switch f.Value.(type) {
		case Table, Object:
		default:
			longest = max(longest, utf8.RuneCountInString(clean(f.Name)))
		}
	}
	for _, f := range o {
		name := clean(f.Name) // a bandwidth file chooses some
		switch v := f.Value.(type) {
		case Table:
			w.line("%s%s", indent, name)
			w.table(indent+"  ", v)
		case Object:
			w.line("%s%s", indent, name)
			w.object(indent+"  ", v)
		case []string:
			w.words(fmt.Sprintf("%s%-*s  ", indent, longest, name), v)
		default:
			w.line("%s%-*s  %s", indent, longest, name, text(v))
		}
	}
}

// words writes a list in as many lines as it takes.
func (w *writer) words(lead string, words []string) {
	left := utf8.RuneCountInString(lead)
	w.b = append(w.b, lead...)
	at := left
	for i, word := range words {
		word = clean(word)
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width:
			w.b = append(append(w.b, '\n'), strings.Repeat(" ", left)...)
			at = left
		default:
			w.b = append(w.b, ' ')
			at++
		}
		w.b = append(w.b, word...)
		at += n
	}
	w.b = append(w.b, '\n')
}

// table writes columns: numbers to the right, everything else to the left.
func (w *writer) table(indent string, t Table) {
	widths := make([]int, len(t.Columns))
	right := make([]bool, len(t.Columns))
	cells := [][]string{t.Columns}
	for _, row := range t.Rows {
		line := make([]string, len(row))
		for j, v := range row {
			switch v.(type) {
			case int, int64, uint32, uint64, share:
				right[j] = true
			}
			line[j] = text(v)
		}
		cells = append(cells, line)
	}
	for _, line := range cells {
		for j, cell := range line {
			widths[j] = max(widths[j], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range cells {
		out := indent
		for j, cell := range line {
			pad := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
			if right[j] {
				out += pad + cell
			} else {
				out += cell + pad
			}
			out += "  "
		}
		w.line("%s", strings.TrimRight(out, " "))
	}
}
