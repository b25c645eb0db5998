package torrc

import (
	"errors"
	"strings"
)

var (
	// ErrQuote says that a quoted value is broken.
	ErrQuote = errors.New(`bad quoted value: it needs a closing '"' on the same line, nothing but a comment behind it, and as escapes only \n \r \t \" \' \\ \xHH and \ooo`)
	// ErrComment says that a comment would swallow the next line.
	ErrComment = errors.New("a comment behind the text of a continued line swallows the line after it: put the comment on a line of its own")
	// ErrNUL says that there is a zero byte.
	ErrNUL = errors.New("zero byte: is this a text file in UTF-8?")
	// ErrName says that what stands where an option name belongs cannot be one.
	ErrName = errors.New("no option name, or one with a backslash, a quote or a character that is not printable ASCII")
)

const spaces = " \t\n\v\f\r"

// scanner cuts a file into keys and values.
type scanner struct {
	rest string
	num  int // of the line on which rest begins
}

func newScanner(text string) *scanner {
	text = strings.TrimPrefix(text, "\ufeff")
	return &scanner{rest: strings.ReplaceAll(text, "\r\n", "\n"), num: 1}
}

// advance moves over n bytes.
func (s *scanner) advance(n int) {
	s.num += strings.Count(s.rest[:n], "\n")
	s.rest = s.rest[n:]
}

// physical takes the text up to the next newline, and the newline. more is false if the file ended first.
func (s *scanner) physical() (text string, more bool) {
	text, _, more = strings.Cut(s.rest, "\n")
	s.advance(min(len(text)+1, len(s.rest)))
	return text, more
}

// next returns the next setting. The line number is that of its first line; ok is false at the end of the file.
func (s *scanner) next() (key, value string, num int, ok bool, err error) {
	for {
		s.advance(len(s.rest) - len(strings.TrimLeft(s.rest, spaces)))
		if !strings.HasPrefix(s.rest, "#") {
			break
		}
		s.physical()
	}
	if s.rest == "" {
		return "", "", s.num, false, nil
	}
	num = s.num
	n := 0
	for n < len(s.rest) && !strings.ContainsRune(spaces+"#", rune(s.rest[n])) && !strings.HasPrefix(s.rest[n:], "\\\n") {
		n++
	}
	key = s.rest[:n]
	s.advance(n)
	s.advance(len(s.rest) - len(strings.TrimLeft(s.rest, " \t")))
	if strings.HasPrefix(s.rest, `"`) {
		value, err = s.quoted()
	} else {
		value, err = s.plain()
	}
	return key, value, num, true, err
}

// plain reads a value without quotes: to the end of the line, or further if the line ends in a backslash.
func (s *scanner) plain() (string, error) {
	var b strings.Builder
	for continued := false; ; {
		text, more := s.physical()
		text, _, comment := strings.Cut(text, "#")
		before, joined := strings.CutSuffix(text, `\`)
		if joined && more && !comment {
			b.WriteString(before)
			continued = true
			continue
		}
		b.WriteString(text)
		if !comment || !continued || !more {
			break
		}
		// "Comments can be used in such multiline entries, but they must start at the beginning of a line."
		if strings.Trim(text, spaces) != "" {
			if !s.blankLine() {
				return "", ErrComment
			}
			break
		}
	}
	return strings.Trim(b.String(), spaces), nil
}

// blankLine tells whether the next line is empty.
func (s *scanner) blankLine() bool {
	text, _, _ := strings.Cut(s.rest, "\n")
	return strings.Trim(text, spaces) == ""
}

// quoted reads a quoted value and the end of its line.
func (s *scanner) quoted() (string, error) {
	text, _ := s.physical()
	value, rest, err := Unquote(text)
	if err != nil {
		return "", err
	}
	if rest = strings.Trim(rest, spaces); rest != "" && rest[0] != '#' {
		return "", ErrQuote
	}
	return value, nil
}
