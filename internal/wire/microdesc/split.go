package microdesc

import (
	"bytes"
	"iter"
	"time"

	"github.com/tropea-net/tropea/internal/wire/doclist"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// Entry is one microdescriptor of a file or response.
type Entry struct {
	Text []byte // without annotations; aliases the data
	// LastListed is when a consensus last listed it, from the annotation in a cache file; zero if that is missing or
	// malformed.
	LastListed time.Time
}

// Split cuts concatenated microdescriptors and yields each. Text before the first is dropped.
func Split(data []byte) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for e := range doclist.Split(data, kwOnionKey) {
			if !yield(Entry{Text: e.Text, LastListed: lastListed(e.Annotations)}) {
				return
			}
		}
	}
}

const kwLastListed = "@last-listed "

func lastListed(annotations []byte) time.Time {
	for line := range bytes.Lines(annotations) {
		if value, ok := bytes.CutPrefix(line, []byte(kwLastListed)); ok {
			args := netdoc.Args(bytes.TrimRight(value, "\n"))
			if t, err := args.Time(); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

// AppendLastListed appends the annotation that caches write before a microdescriptor.
func AppendLastListed(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(append(dst, kwLastListed...), netdoc.TimeLayout+"\n")
}
