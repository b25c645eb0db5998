package voteoracle

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// A ballot is a vote before it has times and a signature.
type ballot struct {
	authority  int
	methods    string
	published  time.Duration // these are relative to the time from which the consensus is valid
	freshUntil time.Duration
	validUntil time.Duration
	delays     [2]int   // for votes and for signatures, in seconds
	lists      []string // lines: versions, packages, protocols
	knownFlags []string
	afterFlags []string // lines: thresholds, parameters, bandwidth file
	source     []string // lines: source, contact, shared random
	legacy     string   // line
	entries    []entry
}

// An entry is what a vote says of a relay.
type entry struct {
	id    [20]byte
	lines []string // the first is the r line
}

const timeLayout = "2006-01-02 15:04:05"

// sign writes the vote. The order of its lines is C tor's.
// https://spec.torproject.org/dir-spec/consensus-formats.html
func (b *ballot) sign(validAfter time.Time) []byte {
	a := &Authorities()[b.authority]
	at := func(d time.Duration) string { return validAfter.Add(d).UTC().Format(timeLayout) }
	var t bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&t, format+"\n", args...) }
	lines := func(list []string) {
		for _, l := range list {
			line("%s", l)
		}
	}
	line("network-status-version 3")
	line("vote-status vote")
	line("consensus-methods %s", b.methods)
	line("published %s", at(b.published))
	line("valid-after %s", at(0))
	line("fresh-until %s", at(b.freshUntil))
	line("valid-until %s", at(b.validUntil))
	line("voting-delay %d %d", b.delays[0], b.delays[1])
	lines(b.lists)
	line("known-flags %s", strings.Join(b.knownFlags, " "))
	lines(b.afterFlags)
	lines(b.source)
	if b.legacy != "" {
		line("%s", b.legacy)
	}
	t.Write(a.Cert)
	slices.SortFunc(b.entries, func(x, y entry) int { return bytes.Compare(x.id[:], y.id[:]) })
	for _, e := range b.entries {
		lines(e.lines)
	}
	line("directory-footer")
	t.WriteString("directory-signature ")
	digest := sha1.Sum(t.Bytes())
	line("%X %X", a.ID(), rsakey.Fingerprint(&a.Signing.PublicKey))
	must(0, pem.Encode(&t, &pem.Block{Type: "SIGNATURE", Bytes: must(rsakey.SignRaw(a.Signing, digest[:]))}))
	return t.Bytes()
}

func base64Of(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }
