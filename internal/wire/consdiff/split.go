package consdiff

import (
	"bytes"
	"fmt"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// A document is a consensus by lines and sections.
type document struct {
	doc        []byte
	starts     []int // offsets of lines and of the end
	sections   []section
	signatures int // the first line of the signatures; the number of lines if there are none
}

// A section is the header, one entry or the footer.
type section struct {
	part       uint8    // 0 header, 1 entry, 2 footer, 3 the end of all sections
	id         [20]byte // of an entry
	start, end int      // lines
}

func (a *section) compare(b *section) int {
	if a.part != b.part {
		return int(a.part) - int(b.part)
	}
	return bytes.Compare(a.id[:], b.id[:])
}

// split finds the sections. Entries must be strictly ascending, or sections could not be matched.
func split(doc []byte) (*document, error) {
	starts, ok := lineStarts(doc)
	if !ok {
		return nil, fmt.Errorf("no newline at the end: %w", ErrSyntax)
	}
	d := &document{doc: doc, starts: starts, sections: []section{{}}, signatures: len(starts) - 1}
	for i := range d.lines() {
		s := section{start: i}
		line := d.line(i)
		switch {
		case bytes.HasPrefix(line, []byte("directory-signature")):
			d.signatures = i
			d.sections[len(d.sections)-1].end = i
			return d, nil
		case bytes.HasPrefix(line, []byte("directory-footer")):
			s.part = 2
		case bytes.HasPrefix(line, []byte("r ")):
			s.part = 1
			args := netdoc.Args(line[len("r ") : len(line)-1])
			args.Next() // nickname
			if err := netdoc.ParseBase64(s.id[:], args.Next()); err != nil {
				return nil, fmt.Errorf("line %d: %w", i+1, err)
			}
		default:
			continue
		}
		last := &d.sections[len(d.sections)-1]
		last.end = i
		if s.compare(last) <= 0 {
			return nil, fmt.Errorf("line %d: %w", i+1, ErrOrder)
		}
		d.sections = append(d.sections, s)
	}
	d.sections[len(d.sections)-1].end = d.lines()
	return d, nil
}

func (d *document) lines() int { return len(d.starts) - 1 }

// line has its newline.
func (d *document) line(i int) []byte { return d.doc[d.starts[i]:d.starts[i+1]] }

// text is the lines [i, j).
func (d *document) text(i, j int) []byte { return d.doc[d.starts[i]:d.starts[j]] }

// section returns section i, or after the last one an empty section that is greater than all.
func (d *document) section(i int) *section {
	if i < len(d.sections) {
		return &d.sections[i]
	}
	return &section{part: 3, start: d.signatures, end: d.signatures}
}
