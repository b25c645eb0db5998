package torrc

import (
	"fmt"
	"strings"
)

// Op says what a line does to the values that its option already has.
type Op uint8

const (
	Set    Op = iota // "Option value"
	Append           // "+Option value": keep the values of earlier sources
	Clear            // "/Option": drop all values; the line has none
)

// CommandLine is the File of lines that came from the command line.
const CommandLine = "command line"

// Line is one setting.
type Line struct {
	Key   string // as written, without "+" or "/"
	Value string // unquoted, joined; empty if the line has none
	Op    Op
	File  string // where it stands; CommandLine for arguments, empty if made by the program
	Num   int    // line number in File, or position among the arguments, from 1
}

// Pos says where the line stands, as "file:line". It is empty for a line that the program made.
func (l Line) Pos() string {
	switch l.File {
	case "":
		return ""
	case CommandLine:
		return CommandLine
	}
	return fmt.Sprintf("%s:%d", l.File, l.Num)
}

// Errorf returns an [Error] about this line.
func (l Line) Errorf(format string, args ...any) *Error {
	return &Error{File: l.File, Num: l.Num, Option: l.Key, Err: fmt.Errorf(format, args...)}
}

// AppendTo appends the line as a file has it, with a newline at its end.
func (l Line) AppendTo(dst []byte) []byte {
	switch l.Op {
	case Append:
		dst = append(dst, '+')
	case Clear:
		dst = append(dst, '/')
	}
	dst = append(dst, l.Key...)
	if l.Value != "" {
		dst = append(dst, ' ')
		dst = AppendValue(dst, l.Value)
	}
	return append(dst, '\n')
}

// Error says what is wrong with a line.
type Error struct {
	File   string
	Num    int
	Option string // empty if the fault lies before the option's name
	Err    error  // what is wrong and, where it helps, what to write instead
}

func (e *Error) Error() string {
	pos := Line{File: e.File, Num: e.Num}.Pos()
	var b strings.Builder
	for _, s := range []string{pos, e.Option} {
		if s != "" {
			b.WriteString(s + ": ")
		}
	}
	return b.String() + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }
