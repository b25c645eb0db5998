package consdiff

import (
	"bytes"
	"crypto/sha3"
	"fmt"
	"slices"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// Apply returns the consensus that a diff makes out of a base. Both digests of the diff are checked.
func Apply(base, diff []byte) ([]byte, error) {
	h, script, err := ParseHeader(diff)
	if err != nil {
		return nil, err
	}
	if BaseDigest(base) != h.Base {
		return nil, ErrBase
	}
	target, err := run(base, script)
	if err != nil {
		return nil, err
	}
	if sha3.Sum256(target) != h.Target {
		return nil, ErrTarget
	}
	return target, nil
}

// run applies the commands, which go from the last line of the base to the first. The result is no longer than both inputs.
func run(base, script []byte) ([]byte, error) {
	starts, ok := lineStarts(base)
	if !ok {
		return nil, fmt.Errorf("base without newline at its end: %w", ErrSyntax)
	}
	var pieces [][]byte     // of the result, last first
	left := len(starts) - 1 // the lines of the base that no command has passed yet
	for len(script) > 0 {
		line, rest, ok := bytes.Cut(script, []byte("\n"))
		if !ok {
			return nil, fmt.Errorf("command without newline: %w", ErrSyntax)
		}
		c, err := parseCommand(line, len(starts)-1)
		if err != nil {
			return nil, fmt.Errorf("command %.32q: %w", line, err)
		}
		if c.last > left {
			return nil, fmt.Errorf("command %.32q: %w", line, ErrOrder)
		}
		pieces = append(pieces, base[starts[c.last]:starts[left]])
		script = rest
		if c.action != 'd' {
			var text []byte
			if text, script, err = cutText(script); err != nil {
				return nil, fmt.Errorf("command %.32q: %w", line, err)
			}
			pieces = append(pieces, text)
		}
		left = c.first
	}
	pieces = append(pieces, base[:starts[left]])
	slices.Reverse(pieces)
	return bytes.Join(pieces, nil), nil
}

// lineStarts returns the offsets of all lines and, after them, of the end; ok is false if the last line has no newline.
func lineStarts(doc []byte) (starts []int, ok bool) {
	starts = make([]int, 1, bytes.Count(doc, []byte("\n"))+1)
	for i, c := range doc {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts, starts[len(starts)-1] == len(doc)
}

// A command removes the lines after first up to and including last; both are equal for a.
type command struct {
	first, last int
	action      byte // a, c or d; a and c are followed by text
}

// parseCommand reads "5a", "5c", "5,7c", "5d", "5,7d" or "5,$d", for a base of so many lines.
func parseCommand(line []byte, lines int) (c command, err error) {
	if len(line) < 2 {
		return c, ErrSyntax
	}
	addr, action := line[:len(line)-1], line[len(line)-1]
	from, to, isRange := bytes.Cut(addr, []byte(","))
	first, err := netdoc.ParseUint(from, uint64(lines))
	if err != nil {
		return c, ErrSyntax
	}
	last := first
	switch {
	case !isRange:
	case string(to) == "$" && action == 'd':
		last = uint64(lines)
	default:
		if last, err = netdoc.ParseUint(to, uint64(lines)); err != nil {
			return c, ErrSyntax
		}
	}
	switch {
	case isRange && last <= first:
		return c, ErrSyntax
	case action == 'a' && !isRange:
		return command{int(first), int(last), action}, nil
	case (action == 'c' || action == 'd') && first > 0:
		return command{int(first) - 1, int(last), action}, nil
	}
	return c, ErrSyntax
}

// cutText takes at least one line of text from the script, up to a line that is a dot.
func cutText(script []byte) (text, rest []byte, err error) {
	if bytes.HasPrefix(script, []byte(".\n")) {
		return nil, nil, fmt.Errorf("empty text: %w", ErrSyntax)
	}
	i := bytes.Index(script, []byte("\n.\n"))
	if i < 0 {
		return nil, nil, fmt.Errorf("text without end: %w", ErrSyntax)
	}
	return script[:i+1], script[i+len("\n.\n"):], nil
}
