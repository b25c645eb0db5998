package bwfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/relayname"
)

// What is wrong with a file. Errors about lines are of package netdoc.
var (
	ErrEmpty   = errors.New("bandwidth file is empty")
	ErrTooLong = errors.New("bandwidth file is too long")
	ErrStale   = errors.New("bandwidth file is too old")
)

// Limits.
const (
	MaxLen         = 32 << 20           // bytes; that of today's network is 7 MB
	MaxAge         = 3 * 24 * time.Hour // of measurements
	maxHeaders     = 50                 // in a vote, the time included
	maxHeadersLine = 1024               // bytes
	maxWarnings    = 20
)

// terminator ends the headers.
const terminator = "====="

// File is a bandwidth file.
type File struct {
	Timestamp time.Time
	Headers   []string // for the vote: "timestamp=N", then the header lines
	Relays    []Measurement
	Digest    [32]byte // SHA-256 of the text, also of one that cannot be used
	Warnings  []error  // about lines that were left out, not all of them
}

// Measurement is what was measured of a relay. A file may have several of a relay: as in C tor, for its flags the first counts
// (Cache), and for its entry in the vote the last (Voted).
type Measurement struct {
	ID [20]byte
	KB uint32 // kilobytes per second
}

// Parse reads a bandwidth file. With an error the file has its digest alone; no text at all stands for a file that could not
// be read.
func Parse(data []byte, now time.Time) (*File, error) {
	f := &File{Digest: sha256.Sum256(data)}
	if len(data) == 0 {
		return f, ErrEmpty
	}
	if len(data) > MaxLen {
		return f, ErrTooLong
	}
	first, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok {
		return f, fmt.Errorf("bandwidth file line 1: %w", netdoc.ErrTruncated)
	}
	stamp, err := netdoc.ParseUint(first, math.MaxInt64)
	if err != nil {
		return f, fmt.Errorf("bandwidth file line 1: %w", err)
	}
	at := time.Unix(int64(stamp), 0).UTC()
	if at.Before(now.Add(-MaxAge)) {
		return f, ErrStale
	}
	f.Timestamp, f.Headers = at, []string{fmt.Sprintf("timestamp=%d", stamp)}
	f.lines(rest)
	return f, nil
}

// lines reads what follows the first line.
func (f *File) lines(data []byte) {
	headers := true
	num := 1
	for line := range bytes.Lines(data) {
		num++
		text, whole := strings.CutSuffix(string(line), "\n")
		m, err := parseLine(text)
		if !whole {
			err = netdoc.ErrTruncated
		}
		switch {
		case err == nil:
			headers = false
			f.Relays = append(f.Relays, m)
		case whole && text == terminator:
			headers = false
		case errors.Is(err, errNoVote):
		case !headers:
			f.warn(num, err)
		case whole && isHeader(text) && len(f.Headers) < maxHeaders:
			f.Headers = append(f.Headers, text)
		}
	}
}

func (f *File) warn(num int, err error) {
	if len(f.Warnings) < maxWarnings {
		f.Warnings = append(f.Warnings, fmt.Errorf("bandwidth file line %d: %w", num, err))
	}
}

// errNoVote says that a relay was measured but is not to be voted on.
var errNoVote = errors.New("vote=0")

// isHeader tells whether a line is key=value in one word. It goes into a vote as it is.
func isHeader(text string) bool {
	return strings.IndexByte(text, '=') > 0 && !strings.ContainsAny(text, " \t\r\x00")
}

// parseLine reads the line of a relay: words key=value in any order, of which we need bw and node_id.
func parseLine(text string) (m Measurement, err error) {
	var hasBW, hasID bool
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == '\t' }) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "vote":
			if strings.HasPrefix(value, "0") {
				return m, errNoVote
			}
		case "bw":
			n, err := strconv.ParseUint(value, 10, 63)
			switch {
			case err != nil:
				return m, fmt.Errorf("bw: %w", netdoc.ErrBadValue)
			case hasBW:
				return m, fmt.Errorf("bw: %w", netdoc.ErrTooMany)
			}
			m.KB, hasBW = uint32(min(n, math.MaxUint32)), true
		case "node_id":
			id, ok := relayname.ParseFingerprint(value)
			switch {
			case !ok || len(strings.TrimPrefix(value, "$")) != 2*len(id):
				return m, fmt.Errorf("node_id: %w", netdoc.ErrBadValue)
			case hasID:
				return m, fmt.Errorf("node_id: %w", netdoc.ErrTooMany)
			}
			m.ID, hasID = id, true
		}
	}
	if !hasBW || !hasID {
		return m, fmt.Errorf("bw and node_id: %w", netdoc.ErrMissing)
	}
	return m, nil
}

// Voted are the bandwidths for the entries of a vote, the word Measured of their lines w.
func (f *File) Voted() map[[20]byte]uint32 {
	m := make(map[[20]byte]uint32, len(f.Relays))
	for _, r := range f.Relays {
		m[r.ID] = r.KB
	}
	return m
}

// AppendVote writes the lines of a vote about the file. A vote has them whenever a file is configured.
// https://spec.torproject.org/dir-spec/vote-formats.html
func (f *File) AppendVote(e *netdoc.Encoder) {
	line := strings.Join(f.Headers, " ")
	if len(line) > maxHeadersLine {
		line = ""
	}
	e.Item("bandwidth-file-headers").Rest(line)
	e.Item("bandwidth-file-digest", "sha256="+base64.RawStdEncoding.EncodeToString(f.Digest[:]))
}
