package dirstore

import (
	"bytes"
	"crypto/sha3"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/consensus"
)

// An Archive keeps consensuses that are not the newest any more, from which a directory cache makes diffs. It is C tor's
// directory diff-cache (conscache.c, storagedir.c): each file begins with labels, a line each, then comes a zero byte, then
// the document. C tor takes our files over, and we its consensuses; its diffs we make anew.
//
// One goroutine uses it.
type Archive struct {
	files statefile.Store
	used  [archiveFiles]bool // by the number of the file
}

const (
	archiveDir   = "diff-cache"
	archiveFirst = 1000 // the number that is the name of the first file
	archiveFiles = 256  // C tor's bound; its sandbox lets it open no others

	// maxLabels bounds the labels of a file, in bytes. The fingerprints of 256 signers fit.
	maxLabels = 16 << 10
)

// Archived describes a consensus in the archive.
type Archived struct {
	Flavor                             consensus.Flavor
	ValidAfter, FreshUntil, ValidUntil time.Time
	Digest                             [32]byte // SHA3-256 of the signed part
	Whole                              [32]byte // SHA3-256 of all
	Signers                            []string // fingerprints of authorities
	File                               string   // where it is
}

// ErrArchiveFull says that no more files may be added.
var ErrArchiveFull = errors.New("too many files in " + archiveDir)

// OpenArchive returns the archive and what is in it, in the order of the files. useless are the files in it that we have no
// use for, or that are damaged; they are to be removed.
func OpenArchive(files statefile.Store) (a *Archive, list []Archived, useless []string, err error) {
	a = &Archive{files: files}
	for i := range a.used {
		name := archiveName(i)
		data, done, err := files.Map(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, nil, err
		}
		a.used[i] = true
		e, _, ok := parseArchived(data)
		done()
		if e.File = name; ok {
			list = append(list, e)
		} else {
			useless = append(useless, name)
		}
	}
	return a, list, useless, nil
}

func archiveName(i int) string { return archiveDir + "/" + strconv.Itoa(archiveFirst+i) }

// Add writes a consensus, whose Deflate form is packed, and returns the file.
func (a *Archive) Add(e *Archived, packed []byte) (string, error) {
	for i, used := range a.used {
		if used {
			continue
		}
		name := archiveName(i)
		err := a.files.WriteWhole(name, append(append(e.labels(packed), 0), packed...))
		a.used[i] = err == nil
		return name, err
	}
	return "", ErrArchiveFull
}

// Read returns the text of a consensus.
func (a *Archive) Read(file string) ([]byte, error) {
	data, done, err := a.files.Map(file)
	if err != nil {
		return nil, err
	}
	defer done()
	_, packed, ok := parseArchived(data)
	if !ok {
		return nil, fmt.Errorf("%s: %w", file, errDamaged)
	}
	return compress.Decode(compress.Deflate, packed, compress.Limits{MaxOutput: consensus.MaxLen})
}

var errDamaged = errors.New("damaged file")

// Remove deletes a file.
func (a *Archive) Remove(file string) error {
	err := a.files.Remove(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for i := range a.used {
		if archiveName(i) == file {
			a.used[i] = false
		}
	}
	return nil
}

// The labels of a consensus (consdiffmgr.c).
const (
	labelType       = "document-type"
	labelFlavor     = "consensus-flavor"
	labelSigned     = "sha3-digest-as-signed"
	labelWhole      = "sha3-digest-uncompressed"
	labelSigners    = "consensus-signatories"
	labelValidAfter = "consensus-valid-after"
	labelFreshUntil = "consensus-fresh-until"
	labelValidUntil = "consensus-valid-until"
	labelPacked     = "sha3-digest"
	labelEncoding   = "compression"

	typeConsensus = "consensus"
	labelTime     = "2006-01-02T15:04:05"
)

func (e *Archived) labels(packed []byte) (b []byte) {
	digest := func(d [32]byte) string { return strings.ToUpper(hex.EncodeToString(d[:])) }
	for _, l := range [...]struct{ key, value string }{
		{labelEncoding, compress.Deflate.String()},
		{labelPacked, digest(sha3.Sum256(packed))},
		{labelType, typeConsensus},
		{labelFlavor, e.Flavor.String()},
		{labelSigned, digest(e.Digest)},
		{labelWhole, digest(e.Whole)},
		{labelSigners, strings.Join(e.Signers, ",")},
		{labelValidAfter, e.ValidAfter.UTC().Format(labelTime)},
		{labelFreshUntil, e.FreshUntil.UTC().Format(labelTime)},
		{labelValidUntil, e.ValidUntil.UTC().Format(labelTime)},
	} {
		b = fmt.Appendf(b, "%s %s\n", l.key, l.value)
	}
	return b
}

// parseArchived reads a file. It is not ok if that holds no consensus in its Deflate form.
func parseArchived(data []byte) (e Archived, packed []byte, ok bool) {
	n := bytes.IndexByte(data[:min(len(data), maxLabels)], 0)
	if n < 0 {
		return Archived{}, nil, false
	}
	labels := map[string]string{}
	for line := range strings.Lines(string(data[:n])) { // a copy: the file may be unmapped
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		labels[key] = value
	}
	ok = labels[labelType] == typeConsensus && labels[labelEncoding] == compress.Deflate.String()
	e.Flavor = consensus.NS
	if labels[labelFlavor] == consensus.Microdesc.String() {
		e.Flavor = consensus.Microdesc
	} else {
		ok = ok && labels[labelFlavor] == consensus.NS.String()
	}
	for label, t := range map[string]*time.Time{
		labelValidAfter: &e.ValidAfter, labelFreshUntil: &e.FreshUntil, labelValidUntil: &e.ValidUntil,
	} {
		var err error
		*t, err = time.Parse(labelTime, labels[label])
		ok = ok && err == nil
	}
	for label, d := range map[string]*[32]byte{labelSigned: &e.Digest, labelWhole: &e.Whole} {
		b, err := hex.DecodeString(labels[label])
		ok = ok && err == nil && len(b) == len(d)
		copy(d[:], b)
	}
	if s := labels[labelSigners]; s != "" {
		e.Signers = strings.Split(s, ",")
	}
	return e, data[n+1:], ok
}
