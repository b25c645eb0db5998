package srstate

import (
	"crypto/sha3"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// Version is the version of the protocol.
const Version = 1

// algorithm is the name of the only digest of version 1.
const algorithm = "sha3-256"

// TextLen is the length of a commit or reveal in base64: 8 bytes of time, 32 bytes of value, padding.
const TextLen = 56

// Commit is what an authority contributes to a protocol run: the commitment, and the random value behind it once that is
// revealed. The texts are kept as the authority wrote them, since the shared value is a digest of them.
//
// https://spec.torproject.org/srv-spec/specification.html
type Commit struct {
	Authority [20]byte // SHA-1 of its v3 identity key
	Commit    string   // base64 of the time and the digest of Reveal
	Reveal    string   // base64 of the time and a random value; empty if not known
}

// NewCommit makes the commit of an authority for the run that begins at start. What is revealed is a digest of random, so
// that nobody sees the output of a generator.
func NewCommit(authority [20]byte, start time.Time, random [32]byte) Commit {
	value := sha3.Sum256(random[:])
	reveal := encode(uint64(start.Unix()), value)
	return Commit{Authority: authority, Commit: encode(uint64(start.Unix()), sha3.Sum256([]byte(reveal))), Reveal: reveal}
}

func encode(timestamp uint64, value [32]byte) string {
	return base64.StdEncoding.EncodeToString(append(binary.BigEndian.AppendUint64(nil, timestamp), value[:]...))
}

// decode takes what C tor takes (base64_decode): padding may be missing, or malformed. Were we stricter, an authority could
// give us another set of commits than everyone else.
func decode(text string) (timestamp uint64, value [32]byte, ok bool) {
	digits, _, _ := strings.Cut(text, "=")
	raw, err := base64.RawStdEncoding.DecodeString(digits)
	if err != nil || len(raw) != 8+len(value) || len(text) > TextLen || strings.ContainsAny(text, "\r\n") {
		return 0, value, false
	}
	return binary.BigEndian.Uint64(raw), [32]byte(raw[8:]), true
}

// ParseCommit parses the arguments of a line shared-rand-commit of a vote, or Commit of the file. Arguments behind those that
// we know are ignored.
func ParseCommit(args string) (c Commit, err error) {
	f := strings.Fields(args)
	if len(f) < 4 {
		return c, fmt.Errorf("commit: %w", netdoc.ErrMissing)
	}
	// C tor takes what is no number for an old version.
	if n, err := strconv.ParseUint(f[0], 10, 32); err == nil && n > Version {
		return c, fmt.Errorf("commit of version %d: %w", n, netdoc.ErrBadValue)
	}
	if f[1] != algorithm {
		return c, fmt.Errorf("commit algorithm: %w", netdoc.ErrBadValue)
	}
	if err := netdoc.ParseHex(c.Authority[:], []byte(f[2][:min(len(f[2]), 40)])); err != nil {
		return Commit{}, fmt.Errorf("commit fingerprint: %w", err)
	}
	c.Commit = f[3]
	if _, _, ok := decode(c.Commit); !ok {
		return Commit{}, fmt.Errorf("commit value: %w", netdoc.ErrBadValue)
	}
	if len(f) > 4 {
		c.Reveal = f[4]
		if _, _, ok := decode(c.Reveal); !ok {
			return Commit{}, fmt.Errorf("reveal value: %w", netdoc.ErrBadValue)
		}
	}
	return c, nil
}

// Hash is the digest that the commitment binds its authority to.
func (c Commit) Hash() [32]byte {
	_, hash, _ := decode(c.Commit)
	return hash
}

// Opens tells whether the reveal is there and is the one of the commitment.
func (c Commit) Opens() bool {
	committed, hash, ok := decode(c.Commit)
	revealed, _, ok2 := decode(c.Reveal)
	if !ok || !ok2 || committed != revealed {
		return false
	}
	// A text without padding counts as filled up with zero bytes, as in C tor (verify_commit_and_reveal).
	var text [TextLen]byte
	copy(text[:], c.Reveal)
	return sha3.Sum256(text[:]) == hash
}

// Args returns the arguments of a line, as ParseCommit takes them. In the commit phase a vote leaves the reveal out; in the
// reveal phase it has the space before it even if there is none.
func (c Commit) Args() string {
	return fmt.Sprintf("%d %s %s %s", Version, algorithm, netdoc.AppendHex(nil, c.Authority[:]), c.Commit)
}
