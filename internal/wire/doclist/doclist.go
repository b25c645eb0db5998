// Package doclist cuts files and responses that hold many directory documents, one behind the other, into the single
// documents.
//
// https://spec.torproject.org/dir-spec/netdoc.html
package doclist

import (
	"bytes"
	"iter"
)

// Entry is one document. Its slices alias the data.
type Entry struct {
	// Annotations are the lines before the document from the first that begins with "@" on. They are not part of it:
	// caches add them.
	Annotations []byte
	Text        []byte // with the newline at its end, and blank lines behind it
}

// Split yields the documents of data. Each begins with one of the keywords at the start of a line, and ends before the
// next document or annotation; nothing else is checked. Text before the first is dropped. Keywords must not be empty.
func Split(data []byte, keywords ...string) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		notes, start := -1, -1 // where annotations and text of the current document begin
		for pos := 0; pos < len(data); {
			line := data[pos:]
			if n := bytes.IndexByte(line, '\n'); n >= 0 {
				line = line[:n+1]
			}
			isNote, isStart := line[0] == '@', beginsWith(line, keywords)
			if (isNote || isStart) && start >= 0 {
				if !yield(entry(data[:pos:pos], notes, start)) {
					return
				}
				notes, start = -1, -1
			}
			if isStart {
				start = pos
			}
			if notes < 0 && (isNote || isStart) {
				notes = pos
			}
			pos += len(line)
		}
		if start >= 0 {
			yield(entry(data, notes, start))
		}
	}
}

func entry(data []byte, notes, start int) Entry {
	return Entry{Annotations: data[notes:start:start], Text: data[start:len(data):len(data)]}
}

// beginsWith reports whether the first word of line is one of the keywords.
func beginsWith(line []byte, keywords []string) bool {
	for _, k := range keywords {
		if line[0] == k[0] && len(line) > len(k) && string(line[:len(k)]) == k {
			if c := line[len(k)]; c == ' ' || c == '\t' || c == '\n' {
				return true
			}
		}
	}
	return false
}
