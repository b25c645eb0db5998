package torrc

import (
	"errors"
	"strings"
)

// ErrNoValue says that an option of the command line has no value behind it.
var ErrNoValue = errors.New("no value behind it on the command line")

// ParseArg reads the first setting of a command line: "--Option value", "-Option value", "Option value", with "+" or
// "/" before the name. It returns the line, without a position, and the arguments behind it.
func ParseArg(args []string) (line Line, rest []string, err error) {
	key := args[0]
	for range 2 {
		key = strings.TrimPrefix(key, "-")
	}
	line = makeLine(key, "")
	line.File = CommandLine
	rest = args[1:]
	switch {
	case !isName(line.Key):
		return line, nil, line.Errorf("%q: %w", args[0], ErrName)
	case line.Op == Clear:
		return line, rest, nil
	case len(rest) == 0:
		return line, nil, line.Errorf("%w", ErrNoValue)
	case strings.ContainsRune(key+rest[0], 0):
		return line, nil, line.Errorf("%w", ErrNUL)
	}
	line.Value = strings.Trim(rest[0], spaces)
	return line, rest[1:], nil
}
