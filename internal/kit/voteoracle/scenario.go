package voteoracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/txtar"
)

// ErrFormat is the error of a file that is no scenario.
var ErrFormat = errors.New("malformed scenario")

// A Scenario is a set of votes and what C tor made of them.
type Scenario struct {
	Name string `json:"-"` // of its file and of its plan

	// Authorities is how many authorities C tor was configured with. They are the first of [Authorities]; not all of them
	// need to have voted.
	Authorities int

	// Self is the authority that C tor was, whose signing key signed the consensuses.
	Self int

	// FreshSRV tells that C tor had just computed a new shared random value. A value is in the consensus if more than half
	// of the authorities agree; then it also takes as many as the parameter AuthDirNumSRVAgreements asks for.
	FreshSRV bool

	Method     int       // what the consensuses say; for listings
	ValidAfter time.Time // the same in all votes

	Votes      []Vote   `json:"-"` // in the order in which C tor had them
	NS         []byte   `json:"-"` // the consensus of flavor ns up to its signatures
	Microdesc  []byte   `json:"-"` // the same of flavor microdesc
	Signatures []byte   `json:"-"` // C tor's detached signatures of both
	Notes      []string `json:"-"` // what C tor logged of it at level notice or above, without time and level
}

// A Vote is a signed vote.
type Vote struct {
	Authority int // who cast it, an index into [Authorities]
	Text      []byte
}

const (
	nameNS         = "consensus-ns"
	nameMicrodesc  = "consensus-microdesc"
	nameSignatures = "signatures"
	nameNotes      = "notes"

	// maxScenario bounds the text of a scenario, in bytes.
	maxScenario = 16 << 20
)

// marker stands for the certificate of an authority, which would take most of the space.
func marker(authority int) []byte { return fmt.Appendf(nil, "@certificate %d\n", authority) }

// Encode makes a file of the scenario.
func (s *Scenario) Encode() ([]byte, error) {
	head, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return nil, err
	}
	a := &txtar.Archive{Comment: append(head, '\n')}
	add := func(name string, text []byte) { a.Files = append(a.Files, txtar.File{Name: name, Data: text}) }
	for _, v := range s.Votes {
		add(fmt.Sprintf("vote %d", v.Authority), bytes.Replace(v.Text, Authorities()[v.Authority].Cert, marker(v.Authority), 1))
	}
	add(nameNS, s.NS)
	add(nameMicrodesc, s.Microdesc)
	add(nameSignatures, s.Signatures)
	var notes []byte
	for _, note := range s.Notes {
		notes = fmt.Appendln(notes, note)
	}
	add(nameNotes, notes)
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer w.Close()
	return w.EncodeAll(txtar.Format(a), nil), nil
}

// Decode reads a file of a scenario.
func Decode(name string, file []byte) (*Scenario, error) {
	s := &Scenario{Name: name}
	if err := s.decode(file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func (s *Scenario) decode(file []byte) error {
	r, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxScenario), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return err
	}
	defer r.Close()
	text, err := r.DecodeAll(file, nil)
	if err != nil {
		return err
	}
	a := txtar.Parse(text)
	if err := json.Unmarshal(a.Comment, s); err != nil {
		return err
	}
	for _, f := range a.Files {
		switch f.Name {
		case nameNS:
			s.NS = f.Data
		case nameMicrodesc:
			s.Microdesc = f.Data
		case nameSignatures:
			s.Signatures = f.Data
		case nameNotes:
			for line := range bytes.Lines(f.Data) {
				s.Notes = append(s.Notes, string(bytes.TrimSuffix(line, []byte("\n"))))
			}
		default:
			var v Vote
			if _, err := fmt.Sscanf(f.Name, "vote %d", &v.Authority); err != nil || v.Authority < 0 || v.Authority >= s.Authorities ||
				s.Authorities > MaxAuthorities {
				return fmt.Errorf("file %q: %w", f.Name, ErrFormat)
			}
			v.Text = bytes.Replace(f.Data, marker(v.Authority), Authorities()[v.Authority].Cert, 1)
			s.Votes = append(s.Votes, v)
		}
	}
	if len(s.Votes) == 0 || s.NS == nil || s.Microdesc == nil || s.Signatures == nil {
		return ErrFormat
	}
	return nil
}
