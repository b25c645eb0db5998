package geoip

import (
	"bufio"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Limits of a file. Those of today have some 400,000 ranges.
const (
	maxLine    = 512     // bytes
	maxEntries = 2 << 20 // ranges
)

// Errors of Read, beside those of its readers.
var (
	ErrTooMany = errors.New("too many ranges of addresses")
	ErrEmpty   = errors.New("no range of addresses")
)

func readFile[A address[A]](db *DB, family int, r io.Reader, t *table[A], parse func(string) (A, bool)) error {
	hash := sha1.New()
	lines := bufio.NewScanner(io.TeeReader(r, hash))
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	var entries []entry[A]
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		e, ok := parseEntry(line, parse)
		switch {
		case !ok:
			db.Skipped++
		case len(entries) == maxEntries:
			return fmt.Errorf("geoip: %w", ErrTooMany)
		default:
			entries = append(entries, e)
		}
	}
	switch {
	case lines.Err() != nil:
		return fmt.Errorf("geoip: %w", lines.Err())
	case len(entries) == 0:
		return fmt.Errorf("geoip: %w", ErrEmpty)
	}
	*t = newTable(entries)
	db.digests[family], db.read[family] = [sha1.Size]byte(hash.Sum(nil)), true
	return nil
}

// parseEntry reads a line. What stands behind the country does not matter.
func parseEntry[A address[A]](line string, parse func(string) (A, bool)) (e entry[A], ok bool) {
	first, rest, _ := strings.Cut(line, ",")
	last, rest, _ := strings.Cut(rest, ",")
	code, _, _ := strings.Cut(rest, ",")
	var ok1, ok2, ok3 bool
	e.first, ok1 = parse(unquote(first))
	e.last, ok2 = parse(unquote(last))
	e.country, ok3 = parseCountry(unquote(code))
	return e, ok1 && ok2 && ok3 && e.first.compare(e.last) <= 0
}

func unquote(s string) string {
	if n := len(s); n >= 2 && s[0] == '"' && s[n-1] == '"' {
		return s[1 : n-1]
	}
	return s
}

func parse4(s string) (a addr4, ok bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return addr4(n), err == nil
}

func parse6(s string) (a addr6, ok bool) {
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return addr6{}, false
	}
	return toAddr6(addr), true
}
