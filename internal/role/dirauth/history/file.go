package history

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// What is wrong with a file.
var (
	ErrFormat    = errors.New("unknown format")
	ErrNoTime    = errors.New("no time stored-at")
	ErrTooLong   = errors.New("longer than allowed")
	ErrTruncated = errors.New("truncated: no line with a dot at its end")
	ErrSyntax    = errors.New("malformed line")
)

// Limits of a file. That of an authority of today has some 20,000 relays in 3 MB.
const (
	maxLen    = 64 << 20
	maxAmount = 1 << 32 // seconds; higher ones are taken for damage
	maxWeight = 1e9
)

// Append appends the text of the file "router-stability", with relays in order of their identities.
//
//	format 2
//	stored-at 2026-11-26 23:18:57
//	tracked-since 2026-10-17 23:17:14
//	last-downrated 2026-11-26 21:17:14
//	data
//	R CECF6EBB2F71A4A0DF24A093BD80365360C9D877
//	+MTBF RUNLENGTH WEIGHTS [S=start of the run]
//	+WFU UPTIME TOTAL [S=start of the downtime]
//	.
func (h *History) Append(dst []byte, now time.Time) []byte {
	dst = append(dst, "format 2\n"...)
	for _, v := range []struct {
		key  string
		when int64
	}{{"stored-at", now.Unix()}, {"tracked-since", h.since}, {"last-downrated", h.downrated}} {
		if v.when != 0 {
			dst = append(fmtTime(append(dst, v.key+" "...), v.when), '\n')
		}
	}
	dst = append(dst, "data\n"...)
	for _, id := range slices.SortedFunc(maps.Keys(h.routers), func(a, b [20]byte) int { return bytes.Compare(a[:], b[:]) }) {
		r := h.routers[id]
		dst = fmt.Appendf(dst, "R %X\n+MTBF %d %.5f", id, r.runLength, r.runWeights)
		dst = fmt.Appendf(appendStart(dst, r.runStart), "\n+WFU %d %d", r.uptime, r.total)
		dst = append(appendStart(dst, r.downStart), '\n')
	}
	return append(dst, ".\n"...)
}

func appendStart(dst []byte, when int64) []byte {
	if when == 0 {
		return dst
	}
	return fmtTime(append(dst, " S="...), when)
}

func fmtTime(dst []byte, when int64) []byte {
	return time.Unix(when, 0).UTC().AppendFormat(dst, netdoc.TimeLayout)
}

// Parse reads the file "router-stability", of format 1 or 2. The time since it was stored does not count for or against any
// relay: what had lasted then has lasted as long now. Lines that are malformed are left out and come as warnings; with an
// error nothing is read. The history is good in any case.
func Parse(data []byte, now time.Time) (h *History, warnings []error, err error) {
	h = New()
	if len(data) > maxLen {
		return h, nil, fmt.Errorf("router-stability: %w", ErrTooLong)
	}
	p := &parser{h: h, now: now.Unix(), first: now.Unix()}
	for line := range strings.Lines(string(data)) {
		p.num++
		if p.line(strings.TrimSpace(line)); p.done {
			break
		}
	}
	p.flush()
	switch {
	case p.format != "1" && p.format != "2":
		err = ErrFormat
	case p.stored == 0:
		err = ErrNoTime
	case !p.done:
		p.warn(ErrTruncated)
	}
	if err != nil {
		return New(), nil, fmt.Errorf("router-stability: %w", err)
	}
	if h.since = min(h.since, now.Unix()); h.since < 365*86400 {
		h.since = p.first
	}
	h.downrated = min(h.downrated, now.Unix())
	return h, p.warnings, nil
}

type parser struct {
	h        *History
	now      int64
	num      int
	format   string
	stored   int64
	data     bool // behind the line "data"
	done     bool
	id       [20]byte // of the relay whose lines are being read
	r        *router
	first    int64 // no relay can have been watched before
	warnings []error
}

// maxWarnings bounds what a damaged file says.
const maxWarnings = 20

func (p *parser) warn(err error) {
	if len(p.warnings) < maxWarnings {
		p.warnings = append(p.warnings, fmt.Errorf("router-stability line %d: %w", p.num, err))
	}
}

func (p *parser) line(line string) {
	word, rest, _ := strings.Cut(line, " ")
	switch {
	case p.num == 1:
		if word == "format" {
			p.format = rest
		}
	case !p.data:
		p.header(word, rest)
	case line == ".":
		p.done = true
	case p.format == "1":
		p.flush()
		if p.begin(word) {
			p.mtbf(rest)
		}
	case word == "R":
		p.flush()
		p.begin(rest)
	case p.r == nil:
	case word == "+MTBF":
		p.mtbf(rest)
	case word == "+WFU":
		p.wfu(rest)
	}
}

func (p *parser) header(word, rest string) {
	into := map[string]*int64{"stored-at": &p.stored, "tracked-since": &p.h.since, "last-downrated": &p.h.downrated}[word]
	switch {
	case word == "data":
		p.data = true
	case into != nil:
		var err error
		if *into, err = parseTime(strings.Fields(rest)); err != nil {
			p.warn(err)
		}
	}
}

// begin takes what follows as the lines of a relay.
func (p *parser) begin(text string) bool {
	var id [20]byte
	if len(text) < hex.EncodedLen(len(id)) || netdoc.ParseHex(id[:], []byte(text[:hex.EncodedLen(len(id))])) != nil || id == [20]byte{} {
		p.warn(ErrSyntax)
		return false
	}
	p.id, p.r = id, new(router)
	return true
}

func (p *parser) flush() {
	if p.r != nil {
		p.h.routers[p.id] = p.r
		p.r = nil
	}
}

func (p *parser) mtbf(args string) {
	f := strings.Fields(args)
	if len(f) != 2 && len(f) != 4 {
		p.warn(ErrSyntax)
		return
	}
	length, err := parseAmount(f[0])
	weights, err2 := strconv.ParseFloat(f[1], 64)
	if err != nil || err2 != nil || math.IsNaN(weights) || weights < 0 || weights > maxWeight {
		p.warn(ErrSyntax)
		return
	}
	p.r.runLength, p.r.runWeights, p.r.runStart = length, weights, p.start(f[2:])
	if p.r.runStart != 0 {
		p.first = min(p.first, max(p.r.runStart-length, 0))
	}
}

func (p *parser) wfu(args string) {
	f := strings.Fields(args)
	if len(f) != 2 && len(f) != 4 {
		p.warn(ErrSyntax)
		return
	}
	up, err := parseAmount(f[0])
	total, err2 := parseAmount(f[1])
	if err != nil || err2 != nil {
		p.warn(ErrSyntax)
		return
	}
	p.r.uptime, p.r.total, p.r.downStart = up, total, p.start(f[2:])
}

// start reads a time that is marked with S=, and moves it as far before now as it was before the file was stored. Times that
// cannot be count as none.
func (p *parser) start(f []string) int64 {
	if len(f) == 0 {
		return 0
	}
	date, ok := strings.CutPrefix(f[0], "S=")
	t, err := parseTime([]string{date, f[1]})
	if !ok || err != nil {
		p.warn(ErrSyntax)
		return 0
	}
	since := min(p.h.since, p.now)
	switch {
	case t == 0 || t < since-365*86400 || t > p.stored:
		return 0
	case t < since:
		return since
	}
	return max(p.now-(p.stored-t), since)
}

func parseAmount(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || n > maxAmount {
		return 0, ErrSyntax
	}
	return int64(n), nil
}

// parseTime reads a date and a time of day. Years before 1970, which old files have, are no time.
func parseTime(f []string) (int64, error) {
	if len(f) != 2 {
		return 0, ErrSyntax
	}
	t, err := time.Parse(netdoc.TimeLayout, f[0]+" "+f[1])
	if err != nil {
		return 0, ErrSyntax
	}
	return max(t.Unix(), 0), nil
}
