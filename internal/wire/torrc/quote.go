package torrc

import (
	"strconv"
	"strings"
)

// Unquote reads a quoted string at the start of s and returns what stands behind it.
func Unquote(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		return "", "", ErrQuote
	}
	var b strings.Builder
	for i := 1; i < len(s); {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\n':
			return "", "", ErrQuote
		case '\\':
			c, n := unescape(s[i+1:])
			if n == 0 {
				return "", "", ErrQuote
			}
			b.WriteByte(c)
			i += 1 + n
		default:
			b.WriteByte(s[i])
			i++
		}
	}
	return "", "", ErrQuote
}

// unescape reads what follows a backslash. n is the number of bytes used, 0 if they are no escape; one that stands
// for a zero byte is none, since a C string cannot hold it.
func unescape(s string) (c byte, n int) {
	if s == "" {
		return 0, 0
	}
	switch s[0] {
	case 'n':
		return '\n', 1
	case 'r':
		return '\r', 1
	case 't':
		return '\t', 1
	case '"', '\'', '\\':
		return s[0], 1
	case 'x', 'X':
		if len(s) < 3 {
			return 0, 0
		}
		return number(s[1:3], 16, 3)
	}
	for n < 3 && n < len(s) && '0' <= s[n] && s[n] <= '7' {
		n++
	}
	return number(s[:n], 8, n)
}

func number(digits string, base, n int) (byte, int) {
	v, err := strconv.ParseUint(digits, base, 8)
	if err != nil || v == 0 {
		return 0, 0
	}
	return byte(v), n
}

// AppendValue appends a value as a file has it: plain if it can be, else quoted. The value has no zero byte.
func AppendValue(dst []byte, value string) []byte {
	if !needsQuotes(value) {
		return append(dst, value...)
	}
	dst = append(dst, '"')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '\n':
			dst = append(dst, `\n`...)
		case c == '\r':
			dst = append(dst, `\r`...)
		case c == '\t':
			dst = append(dst, `\t`...)
		case c == '"' || c == '\'' || c == '\\':
			dst = append(dst, '\\', c)
		case !printable(c):
			dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// needsQuotes tells whether Parse would read value as something else. A backslash at the end would continue the line.
func needsQuotes(value string) bool {
	if value == "" || value[0] == '"' || strings.HasSuffix(value, `\`) || strings.Trim(value, spaces) != value {
		return true
	}
	for i := range len(value) {
		if value[i] == '#' || !printable(value[i]) {
			return true
		}
	}
	return false
}

func printable(c byte) bool { return ' ' <= c && c <= '~' }
