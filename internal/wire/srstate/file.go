package srstate

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// File is the file "sr-state".
type File struct {
	Version                 uint64 // 0 if the file has none that is a number
	TorVersion              string // of the program that wrote it
	ValidAfter              time.Time
	ValidUntil              time.Time
	Commits                 []Commit       // one of an authority
	PreviousSRV, CurrentSRV *consensus.SRV // nil if there is none
}

// Parse reads the file. As in C tor, a commit that is malformed is left out, and a malformed shared random value spoils the
// whole; of two commits of an authority the later counts. Lines that we do not know are dropped: the file lives for a run.
func Parse(data []byte) (*File, error) {
	doc, err := statedoc.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("sr-state: %w", err)
	}
	f := &File{ValidAfter: doc.Time("ValidAfter"), ValidUntil: doc.Time("ValidUntil"), Version: uint64(doc.Int("Version"))}
	f.TorVersion, _ = doc.Get("TorVersion")
	place := map[[20]byte]int{}
	for line := range doc.All("Commit") {
		if len(strings.Fields(line)) < 3 {
			return nil, fmt.Errorf("sr-state: Commit: %w", netdoc.ErrMissing)
		}
		c, err := ParseCommit(line)
		if err != nil {
			continue
		}
		i, twice := place[c.Authority]
		if twice {
			f.Commits[i] = c
			continue
		}
		place[c.Authority] = len(f.Commits)
		f.Commits = append(f.Commits, c)
	}
	if f.PreviousSRV, err = parseSRV(doc, keyPrevious); err != nil {
		return nil, err
	}
	if f.CurrentSRV, err = parseSRV(doc, keyCurrent); err != nil {
		return nil, err
	}
	return f, nil
}

// Keys of the file.
const (
	keyPrevious = "SharedRandPreviousValue"
	keyCurrent  = "SharedRandCurrentValue"
)

func parseSRV(doc *statedoc.Document, key string) (srv *consensus.SRV, err error) {
	for line := range doc.All(key) {
		if srv != nil {
			return nil, fmt.Errorf("sr-state: %s: %w", key, netdoc.ErrTooMany)
		}
		f := strings.Fields(line)
		if len(f) < 2 {
			return nil, fmt.Errorf("sr-state: %s: %w", key, netdoc.ErrMissing)
		}
		srv = new(consensus.SRV)
		srv.Reveals, err = strconv.ParseUint(f[0], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("sr-state: %s reveals: %w", key, netdoc.ErrBadValue)
		}
		if err := netdoc.ParseBase64(srv.Value[:], []byte(f[1])); err != nil {
			return nil, fmt.Errorf("sr-state: %s: %w", key, err)
		}
	}
	return srv, nil
}

// AppendTo appends the file, with commits in order of their authorities. The comment at its top tells the time in the zone
// of now.
func (f *File) AppendTo(dst []byte, now time.Time) []byte {
	dst = fmt.Appendf(dst, "# Tor shared random state file last generated on %s local time\n"+
		"# Other times below are in UTC\n# Please *do not* edit this file.\n\n", now.Format(statedoc.TimeLayout))
	for _, c := range slices.SortedFunc(slices.Values(f.Commits), func(a, b Commit) int {
		return bytes.Compare(a.Authority[:], b.Authority[:])
	}) {
		dst = append(dst, strings.TrimRight("Commit "+c.Args()+" "+c.Reveal, " ")+"\n"...)
	}
	for _, v := range []struct {
		key string
		srv *consensus.SRV
	}{{keyPrevious, f.PreviousSRV}, {keyCurrent, f.CurrentSRV}} {
		if v.srv != nil {
			dst = fmt.Appendf(dst, "%s %d %s\n", v.key, v.srv.Reveals, base64.StdEncoding.EncodeToString(v.srv.Value[:]))
		}
	}
	dst = torrc.Line{Key: "TorVersion", Value: f.TorVersion}.AppendTo(dst)
	return fmt.Appendf(dst, "ValidAfter %s\nValidUntil %s\nVersion %d\n",
		f.ValidAfter.UTC().Format(statedoc.TimeLayout), f.ValidUntil.UTC().Format(statedoc.TimeLayout), f.Version)
}
