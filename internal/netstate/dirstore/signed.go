package dirstore

import (
	"bytes"
	"crypto/sha1"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/doclist"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// A Kind is a kind of document that relays sign, which directory caches keep by the thousand: in a cache file, and in a
// journal to which new ones are appended.
type Kind uint8

// The kinds.
const (
	Routers    Kind = iota // router descriptors
	ExtraInfos             // extra-info documents
)

var kinds = [...]struct{ cache, journal, keyword string }{
	Routers:    {"cached-descriptors", "cached-descriptors.new", "router"},
	ExtraInfos: {"cached-extrainfo", "cached-extrainfo.new", "extra-info"},
}

// A Signed is a router descriptor or an extra-info document. Its slices alias what it was cut from.
type Signed struct {
	Annotations []byte   // lines that a cache has put before it; no part of the document
	Text        []byte   // up to the end of the RSA signature
	Digest      [20]byte // SHA-1 of the text without the RSA signature, by which it is asked for
}

// A document ends with these and base64 between the second and the third.
var (
	signature      = []byte("\nrouter-signature\n")
	signatureBegin = []byte("-----BEGIN SIGNATURE-----\n")
	signatureEnd   = []byte("-----END SIGNATURE-----\n")
)

// Split yields the documents of one kind in data, a file or an answer. A piece without a signature at its end, such as
// the torn tail of a journal, is left out; nothing else is checked.
func Split(kind Kind, data []byte) iter.Seq[Signed] {
	return func(yield func(Signed) bool) {
		for e := range doclist.Split(data, kinds[kind].keyword) {
			if s, ok := cut(e); ok && !yield(s) {
				return
			}
		}
	}
}

func cut(e doclist.Entry) (s Signed, ok bool) {
	i := bytes.Index(e.Text, signature)
	if i < 0 {
		return Signed{}, false
	}
	i += len(signature)
	rest, begins := bytes.CutPrefix(e.Text[i:], signatureBegin)
	n := bytes.IndexByte(rest, '-')
	if !begins || n < 0 || !bytes.HasPrefix(rest[n:], signatureEnd) {
		return Signed{}, false
	}
	n += i + len(signatureBegin) + len(signatureEnd)
	return Signed{Annotations: e.Annotations, Text: e.Text[:n:n], Digest: sha1.Sum(e.Text[:i])}, true
}

// purpose begins the annotation of descriptors that are not for everybody: those of bridges.
var purpose = []byte("@purpose ")

// General tells whether a router descriptor is that of a public relay, as far as its annotations tell.
func (s *Signed) General() bool {
	for line := range bytes.Lines(s.Annotations) {
		if p, ok := bytes.CutPrefix(line, purpose); ok && string(bytes.TrimSpace(p)) != "general" {
			return false
		}
	}
	return true
}

// Annotate returns what C tor's caches write before a router descriptor: when it came, and from whom. C tor wants none
// before an extra-info document.
func Annotate(at time.Time, from netip.Addr) []byte {
	return fmt.Appendf(nil, "@downloaded-at %s\n@source %q\n", at.UTC().Format(netdoc.TimeLayout), from)
}

// AnnotateBridge returns what C tor writes before the descriptor of a bridge that was uploaded to it, a bridge authority. Such a
// descriptor is not General.
func AnnotateBridge(at time.Time, from netip.Addr) []byte {
	return fmt.Appendf(nil, "@uploaded-at %s\n@source %q\n@purpose bridge\n", at.UTC().Format(netdoc.TimeLayout), from)
}

// AddSigned appends documents with their annotations to the journal, and returns how many bytes that made.
func (s *Store) AddSigned(kind Kind, list []Signed) (int, error) {
	var b []byte
	for _, d := range list {
		b = append(append(b, d.Annotations...), d.Text...)
	}
	if len(b) == 0 {
		return 0, nil
	}
	return len(b), s.Files.Append(kinds[kind].journal, b)
}

// SignedLen returns the lengths of cache and journal, in bytes.
func (s *Store) SignedLen(kind Kind) (cache, journal int, err error) {
	if cache, err = s.size(kinds[kind].cache); err == nil {
		journal, err = s.size(kinds[kind].journal)
	}
	return cache, journal, err
}

// ReadSigned calls each for every document of the cache and then of its journal. What it gets is valid during the call
// only. Damaged parts are left out.
func (s *Store) ReadSigned(kind Kind, each func(Signed)) error {
	k := &kinds[kind]
	return s.each([]string{k.cache, k.journal}, func(text []byte) {
		for d := range Split(kind, text) {
			each(d)
		}
	})
}

// RebuildSigned rewrites the cache with one copy of each document that keep approves, empties the journal, and returns
// the length of the cache. A kill between both steps leaves some in both files, which does no harm.
func (s *Store) RebuildSigned(kind Kind, keep func(Signed) bool) (int, error) {
	var out []byte
	seen := map[[20]byte]bool{}
	err := s.ReadSigned(kind, func(d Signed) {
		if !seen[d.Digest] && keep(d) {
			seen[d.Digest] = true
			out = append(append(out, d.Annotations...), d.Text...)
		}
	})
	if err != nil {
		return 0, err
	}
	if err := s.Files.WriteWhole(kinds[kind].cache, out); err != nil {
		return 0, err
	}
	return len(out), s.Remove(kinds[kind].journal)
}
