package logfmt

import (
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxText bounds the text of a message, as in C tor.
const (
	maxText   = 10 << 10
	truncated = "[...truncated]"
)

// appendPrefix appends time and severity.
func appendPrefix(dst []byte, t time.Time, granularity time.Duration, s severity) []byte {
	t = t.Truncate(max(granularity, time.Millisecond))
	dst = t.AppendFormat(dst, "Jan 02 15:04:05.000")
	dst = append(dst, " ["...)
	dst = append(dst, severities[s].name...)
	return append(dst, "] "...)
}

// appendText appends the message and its attributes, on one line whatever they hold.
func appendText(dst []byte, rec slog.Record) []byte {
	start := len(dst)
	dst = appendClean(dst, rec.Message)
	first := true
	rec.Attrs(func(a slog.Attr) bool {
		dst = appendAttr(dst, "", a, &first)
		return len(dst)-start <= maxText
	})
	if len(dst)-start <= maxText {
		return dst
	}
	dst = dst[:start+maxText-len(truncated)]
	for i := 0; i < utf8.UTFMax && !utf8.Valid(dst[start:]); i++ {
		dst = dst[:len(dst)-1] // cut within a character
	}
	return append(dst, truncated...)
}

func appendAttr(dst []byte, prefix string, a slog.Attr, first *bool) []byte {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, sub := range v.Group() {
			dst = appendAttr(dst, prefix, sub, first)
		}
		return dst
	}
	if a.Equal(slog.Attr{}) {
		return dst
	}
	if *first {
		dst = append(dst, ':')
		*first = false
	}
	dst = append(dst, ' ')
	dst = appendClean(dst, prefix+a.Key)
	dst = append(dst, '=')
	text := v.String()
	if v.Kind() == slog.KindTime {
		text = v.Time().Format(time.RFC3339)
	}
	if text == "" || strings.ContainsFunc(text, needsQuotes) {
		return strconv.AppendQuote(dst, text)
	}
	return append(dst, text...)
}

func needsQuotes(r rune) bool {
	return r <= ' ' || r == '"' || r == '=' || r == '\\' || r == utf8.RuneError || !strconv.IsPrint(r)
}

// appendClean appends s with what is not printable as escapes, so that nobody can forge a line or drive a terminal.
func appendClean(dst []byte, s string) []byte {
	for _, r := range s {
		if strconv.IsPrint(r) {
			dst = utf8.AppendRune(dst, r)
		} else {
			quoted := strconv.QuoteRune(r)
			dst = append(dst, quoted[1:len(quoted)-1]...)
		}
	}
	return dst
}
