package statedoc

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/relayname"
)

// Guard is the value of a line "Guard": a relay or bridge in a sample of guards.
// https://spec.torproject.org/guard-spec/appendices.html
type Guard struct {
	Selection     string         // the sample: "default", "bridges" or "restricted"
	RSA           [20]byte       // fingerprint; all zero for a bridge whose fingerprint is not known
	Bridge        netip.AddrPort // of a bridge
	Nickname      string         // empty if not known
	SampledOn     time.Time      // blurred, like the other times; zero if missing or malformed
	SampledIdx    int            // place in the sample; -1 if missing or malformed
	SampledBy     string         // version of the program that sampled it
	UnlistedSince time.Time      // zero while the consensus lists it
	Listed        bool
	ConfirmedOn   time.Time // zero if not confirmed
	ConfirmedIdx  int       // place among the confirmed guards; -1 if not confirmed
	PathBias      PathBias
	Extra         []string // fields that we do not know, kept
}

// PathBias counts what happened to circuits through a guard. Counts decay, so they are not whole numbers.
type PathBias struct {
	UseAttempts, UseSuccesses                   float64
	CircAttempts, CircSuccesses                 float64
	SuccessfulClosed, Collapsed, Unusable, Late float64
}

// pathBiasFields are the fields in the order of the file.
var pathBiasFields = []struct {
	name  string
	field func(*PathBias) *float64
}{
	{"pb_use_attempts", func(p *PathBias) *float64 { return &p.UseAttempts }},
	{"pb_use_successes", func(p *PathBias) *float64 { return &p.UseSuccesses }},
	{"pb_circ_attempts", func(p *PathBias) *float64 { return &p.CircAttempts }},
	{"pb_circ_successes", func(p *PathBias) *float64 { return &p.CircSuccesses }},
	{"pb_successful_circuits_closed", func(p *PathBias) *float64 { return &p.SuccessfulClosed }},
	{"pb_collapsed_circuits", func(p *PathBias) *float64 { return &p.Collapsed }},
	{"pb_unusable_circuits", func(p *PathBias) *float64 { return &p.Unusable }},
	{"pb_timeouts", func(p *PathBias) *float64 { return &p.Late }},
}

// maxPathBias bounds the counts of PathBias; higher ones are taken for damage.
const maxPathBias = 1e9

// guardTime is TimeLayout without a space, since fields are separated by spaces.
const guardTime = "2006-01-02T15:04:05"

// ParseGuard parses the value of a Guard line: fields "name=value" in any order. Only the sample and the fingerprint
// must be there and valid; another field that is malformed counts as missing, as in C tor. Of fields with the same name
// the first counts.
func ParseGuard(line string) (*Guard, error) {
	values := map[string]string{}
	g := &Guard{SampledIdx: -1, ConfirmedIdx: -1}
	for field := range strings.FieldsSeq(line) {
		name, value, ok := strings.Cut(field, "=")
		_, twice := values[name]
		switch {
		case !ok || !guardFields[name]:
			g.Extra = append(g.Extra, field)
		case !twice:
			values[name] = value
		}
	}
	g.Selection = values["in"]
	if g.Selection == "" {
		return nil, fmt.Errorf("Guard in: %w", ErrMissing)
	}
	if values["rsa_id"] == "" {
		return nil, fmt.Errorf("Guard rsa_id: %w", ErrMissing)
	}
	id, err := hex.DecodeString(values["rsa_id"])
	if err != nil || len(id) != len(g.RSA) {
		return nil, fmt.Errorf("Guard rsa_id: %w", ErrSyntax)
	}
	copy(g.RSA[:], id)
	if addr, err := netip.ParseAddrPort(values["bridge_addr"]); err == nil && addr.Addr().Zone() == "" {
		g.Bridge = addr
	}
	if relayname.IsNickname(values["nickname"]) {
		g.Nickname = values["nickname"]
	}
	g.SampledOn = parseTime(guardTime, values["sampled_on"])
	g.SampledBy = values["sampled_by"]
	g.UnlistedSince = parseTime(guardTime, values["unlisted_since"])
	g.Listed = values["listed"] != "" && values["listed"] != "0"
	g.ConfirmedOn = parseTime(guardTime, values["confirmed_on"])
	g.ConfirmedIdx = parseIndex(values["confirmed_idx"])
	if text, ok := values["sampled_idx"]; ok {
		g.SampledIdx = parseIndex(text)
	} else {
		g.SampledIdx = g.ConfirmedIdx // versions before 0.4.3 did not order the sample
	}
	for _, f := range pathBiasFields {
		if n, err := strconv.ParseFloat(values[f.name], 64); err == nil && n >= 0 && n <= maxPathBias {
			*f.field(&g.PathBias) = n
		}
	}
	return g, nil
}

// guardFields are the names that ParseGuard knows.
var guardFields = func() map[string]bool {
	known := map[string]bool{}
	for _, name := range []string{
		"in", "rsa_id", "bridge_addr", "nickname", "sampled_on", "sampled_idx", "sampled_by", "unlisted_since", "listed",
		"confirmed_on", "confirmed_idx",
	} {
		known[name] = true
	}
	for _, f := range pathBiasFields {
		known[f.name] = true
	}
	return known
}()

// parseIndex returns -1 for what is no index.
func parseIndex(s string) int {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return -1
	}
	return int(n)
}

// Encode returns the value of a Guard line, with the fields in C tor's order (entry_guard_encode_for_state).
// Text that cannot stand in a field is an error.
func (g *Guard) Encode() (string, error) {
	fields := []string{"in=" + g.Selection, "rsa_id=" + strings.ToUpper(hex.EncodeToString(g.RSA[:]))}
	add := func(present bool, name, value string) {
		if present {
			fields = append(fields, name+"="+value)
		}
	}
	add(g.Bridge.IsValid(), "bridge_addr", g.Bridge.String())
	add(relayname.IsNickname(g.Nickname), "nickname", g.Nickname)
	add(!g.SampledOn.IsZero(), "sampled_on", g.SampledOn.UTC().Format(guardTime))
	add(g.SampledIdx >= 0, "sampled_idx", strconv.Itoa(g.SampledIdx))
	add(g.SampledBy != "", "sampled_by", g.SampledBy)
	add(!g.UnlistedSince.IsZero(), "unlisted_since", g.UnlistedSince.UTC().Format(guardTime))
	listed := "0"
	if g.Listed {
		listed = "1"
	}
	add(true, "listed", listed)
	if g.ConfirmedIdx >= 0 {
		add(!g.ConfirmedOn.IsZero(), "confirmed_on", g.ConfirmedOn.UTC().Format(guardTime))
		add(true, "confirmed_idx", strconv.Itoa(g.ConfirmedIdx))
	}
	for _, f := range pathBiasFields {
		if n := *f.field(&g.PathBias); n >= 1e-6 {
			add(true, f.name, strconv.FormatFloat(n, 'f', 6, 64))
		}
	}
	fields = append(fields, g.Extra...)
	line := strings.Join(fields, " ")
	if g.Selection == "" || len(strings.Fields(line)) != len(fields) || strings.ContainsAny(line, "\r\n\x00") {
		return "", fmt.Errorf("Guard: %w", ErrSyntax)
	}
	return line, nil
}

// Guards returns the guards of the document. Lines that are malformed come as errors; they stay in the document until
// SetGuards.
func (d *Document) Guards() (guards []*Guard, errs []error) {
	for line := range d.All("Guard") {
		g, err := ParseGuard(line)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		guards = append(guards, g)
	}
	return guards, errs
}

// SetGuards replaces the guards of the document.
func (d *Document) SetGuards(guards []*Guard) error {
	lines := make([]string, len(guards))
	for i, g := range guards {
		var err error
		if lines[i], err = g.Encode(); err != nil {
			return err
		}
	}
	d.Set("Guard", lines...)
	return nil
}
