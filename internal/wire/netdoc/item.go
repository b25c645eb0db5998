package netdoc

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// An Item is one keyword line with its object, if any. The byte slices alias the document.
type Item struct {
	Keyword []byte // without a leading "opt"; annotations keep their @
	Args    Args   // the rest of the line, without the space before it
	Object  Object // Tag is nil if there is none

	Line    int // number of the keyword line, from 1
	Start   int // offset of the keyword line in the document
	LineEnd int // offset behind the newline of the keyword line
	End     int // offset behind the whole item
}

// keywordByte tells which bytes a keyword is made of.
var keywordByte = func() (t [256]bool) {
	for c := range t {
		t[c] = '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-'
	}
	return t
}()

// setLine splits a line into keyword and arguments.
func (it *Item) setLine(text []byte) error {
	var err error
	if it.Keyword, it.Args, err = splitLine(text); err != nil {
		return err
	}
	if string(it.Keyword) == "opt" && len(it.Args) > 0 {
		it.Keyword, it.Args, err = splitLine(it.Args)
	}
	return err
}

func splitLine(text []byte) (keyword []byte, args Args, err error) {
	n := 0
	if len(text) > 0 && text[0] == '@' {
		n = 1
	}
	first := n
	for n < len(text) && keywordByte[text[n]] {
		n++
	}
	if n == first || n > MaxKeywordLen || text[first] == '-' || n < len(text) && !isSpace(text[n]) {
		return nil, nil, ErrBadKeyword
	}
	args = text[n:]
	for len(args) > 0 && isSpace(args[0]) {
		args = args[1:]
	}
	return text[:n], args, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// Is reports whether the item has this keyword.
func (it *Item) Is(keyword string) bool { return string(it.Keyword) == keyword }

// Wrap adds line and keyword to an error that has none; nil stays nil.
func (it *Item) Wrap(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	return &Error{Line: it.Line, Keyword: string(it.Keyword), Err: err}
}

// Arg returns argument i, counted from 0, or ErrMissing. It walks over the line: use Args.Next where speed counts.
func (it *Item) Arg(i int) ([]byte, error) {
	args := it.Args
	for ; i > 0; i-- {
		args.Next()
	}
	if arg := args.Next(); arg != nil {
		return arg, nil
	}
	return nil, fmt.Errorf("argument: %w", ErrMissing)
}

// Time reads the first two arguments as a date and a time of day in UTC.
func (it *Item) Time() (time.Time, error) {
	args := it.Args
	return args.Time()
}

// Args are the arguments of a line, not yet split, and an iterator over them.
type Args []byte

// Next cuts the first argument off and returns it, nil if there is none.
func (a *Args) Next() []byte {
	s := *a
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	n := 0
	for n < len(s) && !isSpace(s[n]) {
		n++
	}
	*a = s[n:]
	if n == 0 {
		return nil
	}
	return s[:n:n]
}

// Len counts the arguments that are left.
func (a Args) Len() (n int) {
	for a.Next() != nil {
		n++
	}
	return n
}

// Time cuts off two arguments, a date and a time of day.
func (a *Args) Time() (time.Time, error) {
	date := a.Next()
	return ParseTime(date, a.Next())
}

// Trimmed returns the arguments as one text, without space at the end.
func (a Args) Trimmed() []byte { return bytes.TrimRight(a, " \t") }
