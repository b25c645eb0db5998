package consdiff

import (
	"bytes"
	"crypto/sha3"
	"fmt"
	"strconv"
)

// Make returns a diff from one consensus to another of the same flavor. It refers to no line of the base after the signed
// part, since the base may be held with other signatures.
func Make(base, target []byte) ([]byte, error) {
	from, err := split(base)
	if err != nil {
		return nil, fmt.Errorf("base: %w", err)
	}
	to, err := split(target)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	h := Header{Base: BaseDigest(base), Target: sha3.Sum256(target)}
	diff := h.append(nil)
	header := len(diff)
	if diff, err = appendScript(diff, from, to, compare(from, to)); err != nil {
		return nil, err
	}
	if got, err := run(base, diff[header:]); err != nil || !bytes.Equal(got, target) {
		return nil, ErrNoDiff // a trailer of one line cannot be deleted up to its end
	}
	return diff, nil
}

// A hunk says that the lines [del, delEnd) of the base become the lines [add, addEnd) of the target.
type hunk struct{ del, delEnd, add, addEnd int }

// compare lists the differences in order. Sections are matched by what they are about, so the work is linear.
func compare(from, to *document) []hunk {
	var c comparer
	i, j := 0, 0
	for i < len(from.sections) || j < len(to.sections) {
		a, b := from.section(i), to.section(j)
		switch order := a.compare(b); {
		case order < 0:
			c.add(hunk{a.start, a.end, b.start, b.start})
			i++
		case order > 0:
			c.add(hunk{a.start, a.start, b.start, b.end})
			j++
		default:
			c.lines(from, to, hunk{a.start, a.end, b.start, b.end})
			i, j = i+1, j+1
		}
	}
	c.add(hunk{from.signatures, from.signatures, to.signatures, to.lines()})
	return c.hunks
}

// appendScript writes the commands, last first.
func appendScript(dst []byte, from, to *document, hunks []hunk) ([]byte, error) {
	if from.signatures < from.lines() {
		dst = append(strconv.AppendInt(dst, int64(from.signatures)+1, 10), ",$d\n"...)
	}
	for i := len(hunks) - 1; i >= 0; i-- {
		h := hunks[i]
		text := to.text(h.add, h.addEnd)
		if bytes.HasPrefix(text, []byte(".\n")) || bytes.Contains(text, []byte("\n.\n")) {
			return dst, fmt.Errorf("a line that is a dot: %w", ErrNoDiff)
		}
		first, n := h.del+1, h.delEnd-h.del
		if n == 0 {
			first = h.del
		}
		dst = strconv.AppendInt(dst, int64(first), 10)
		if n > 1 {
			dst = strconv.AppendInt(append(dst, ','), int64(h.delEnd), 10)
		}
		switch {
		case len(text) == 0:
			dst = append(dst, "d\n"...)
		case n == 0:
			dst = append(append(append(dst, "a\n"...), text...), ".\n"...)
		default:
			dst = append(append(append(dst, "c\n"...), text...), ".\n"...)
		}
	}
	return dst, nil
}
