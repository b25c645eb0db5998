package netdoc

import (
	"bytes"
)

// Limits of any document. C tor refuses lines and objects above 128 KiB too (get_next_token).
const (
	MaxLineLen    = 128 << 10 // bytes, without the newline
	MaxObjectLen  = 128 << 10 // bytes of base64 text
	MaxKeywordLen = 128       // bytes; no document has keywords near it
	maxTagLen     = 64        // bytes of the words between BEGIN and the dashes
)

// Options change what a Scanner accepts. The zero value is right for most documents.
type Options struct {
	Annotations bool // items that begin with @ may precede the others
	FirstLine   int  // number of the first line, for errors; 0 means 1
}

// A Scanner walks over the items of a document. It allocates nothing but an error.
type Scanner struct {
	doc   []byte
	pos   int
	clean int // up to here there is no NUL and no carriage return
	line  int // number of the line at pos
	opts  Options
	item  Item
	body  bool // an item that is no annotation has been seen
	err   error
}

// NewScanner starts at the beginning of doc. The scanner and its items alias doc.
func NewScanner(doc []byte, opts Options) *Scanner {
	return &Scanner{doc: doc, line: max(opts.FirstLine, 1), opts: opts}
}

// Item is the current item; the pointer is good until the next call of Next, what the fields alias as long as the document.
func (s *Scanner) Item() *Item { return &s.item }

// Err is the reason why Next returned false: nil at the end of the document, else an *Error.
func (s *Scanner) Err() error { return s.err }

// Offset is where the rest of the document begins: after the current item, at a blank line or the next item.
func (s *Scanner) Offset() int { return s.pos }

// Line is the number of the line at Offset.
func (s *Scanner) Line() int { return s.line }

// Next advances to the next item. It returns false at the end and at the first error.
func (s *Scanner) Next() bool {
	for s.err == nil && s.pos < len(s.doc) {
		if s.doc[s.pos] != '\n' {
			s.err = s.next()
			return s.err == nil
		}
		s.pos++ // Document ::= (Item | NL)+
		s.line++
	}
	return false
}

// next reads the item at pos, which is no blank line.
func (s *Scanner) next() error {
	it := &s.item
	*it = Item{Line: s.line, Start: s.pos}
	text, err := s.readLine()
	if err != nil {
		return it.Wrap(err)
	}
	it.LineEnd, it.End = s.pos, s.pos
	if err := it.setLine(text); err != nil {
		return it.Wrap(err)
	}
	if it.Keyword[0] == '@' {
		if !s.opts.Annotations || s.body {
			return it.Wrap(ErrMisplaced)
		}
		return nil
	}
	s.body = true
	if s.pos < len(s.doc) && s.doc[s.pos] == '-' {
		if err := s.readObject(it); err != nil {
			return it.Wrap(err)
		}
		it.End = s.pos
	}
	return nil
}

// readLine returns the line at pos without its newline and moves behind it.
func (s *Scanner) readLine() ([]byte, error) {
	rest := s.doc[s.pos:]
	n := bytes.IndexByte(rest[:min(len(rest), MaxLineLen+1)], '\n')
	next := n + 1
	if n < 0 {
		if len(rest) > MaxLineLen {
			return nil, ErrTooLong
		}
		return nil, ErrTruncated
	}
	if s.pos+n > s.clean && !s.checkBytes(s.pos+n) {
		return nil, ErrBadByte
	}
	s.pos += next
	s.line++
	return rest[:n], nil
}

// checkBytes moves clean to end or beyond, or reports that there is a bad byte before end. It looks at many lines at once,
// which is faster than line by line.
func (s *Scanner) checkBytes(end int) bool {
	const window = 8 << 10
	part := s.doc[s.clean:min(max(end, s.clean+window), len(s.doc))]
	for _, bad := range []byte{0, '\r'} {
		if n := bytes.IndexByte(part, bad); n >= 0 {
			part = part[:n]
		}
	}
	s.clean += len(part)
	return s.clean >= end
}

var (
	beginMark = []byte("-----BEGIN ")
	endMark   = []byte("-----END ")
	dashes    = []byte("-----")
)

// readObject reads the object that begins at pos.
func (s *Scanner) readObject(it *Item) error {
	begin, err := s.readLine()
	if err != nil {
		return err
	}
	tag, ok := cutTag(begin, beginMark)
	if !ok {
		return ErrBadObject
	}
	start := s.pos
	for {
		end := s.pos
		text, err := s.readLine()
		if err != nil {
			return err
		}
		if len(text) == 0 || text[0] != '-' {
			if s.pos-start > MaxObjectLen {
				return ErrTooLong
			}
			continue
		}
		if endTag, ok := cutTag(text, endMark); !ok || !bytes.Equal(tag, endTag) {
			return ErrBadObject
		}
		it.Object = Object{Tag: tag, Text: s.doc[start:end:end]}
		return nil
	}
}

// cutTag takes the words out of a begin or end line.
func cutTag(line, mark []byte) ([]byte, bool) {
	tag, ok := bytes.CutPrefix(line, mark)
	if !ok {
		return nil, false
	}
	tag, ok = bytes.CutSuffix(tag, dashes)
	if !ok || len(tag) == 0 || len(tag) > maxTagLen {
		return nil, false
	}
	for _, c := range tag {
		if !keywordByte[c] && c != ' ' {
			return nil, false
		}
	}
	return tag, true
}
