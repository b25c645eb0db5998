package relaykeys

import (
	"cmp"
	"crypto"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/keyfile"
)

const familySuffix = ".secret_family_key"

// Families are the families that the relay is in: the option FamilyId, and the directory with their keys. The zero
// Families are none.
//
// https://spec.torproject.org/proposals/321-happy-families.html
type Families struct {
	Dir fs.FS      // FamilyKeyDirectory, which is the key directory unless set
	IDs [][32]byte // each must have its key in a file "*.secret_family_key" of Dir
	All bool       // "FamilyId *": whatever keys there are
}

// family is a family key; they are kept sorted.
type family struct {
	key *keyfile.EdSecret
}

// loadFamilies reads the family keys anew. If it fails, the old ones stay.
func (k *Keyring) loadFamilies(r *Report) error {
	list, err := k.cfg.Families.load(r)
	if err != nil {
		return err
	}
	same := func(a, b family) bool { return a.key.ID() == b.key.ID() }
	if !slices.EqualFunc(list, k.family, same) {
		k.family, r.Families = list, true
	}
	return nil
}

func (c *Families) load(r *Report) ([]family, error) {
	if len(c.IDs) == 0 && !c.All {
		return nil, nil
	}
	names, err := c.list()
	if err != nil {
		return nil, &FileError{"*" + familySuffix, err, ""}
	}
	var list []family
	for _, name := range names {
		key, err := c.read(name)
		if err != nil {
			return nil, &FileError{name, err, "put back the file, or take it away"}
		}
		if !c.All && !slices.Contains(c.IDs, key.ID()) {
			r.warn(&FileError{name, fmt.Errorf("family %s: %w", familyText(key.ID()), ErrUnexpected), "add it there, or take the file away"})
			continue
		}
		list = append(list, family{key})
	}
	slices.SortFunc(list, func(a, b family) int { return cmp.Compare(familyText(a.key.ID()), familyText(b.key.ID())) })
	list = slices.CompactFunc(list, func(a, b family) bool { return a.key.ID() == b.key.ID() })
	for _, id := range c.IDs {
		if !slices.ContainsFunc(list, func(f family) bool { return f.key.ID() == id }) {
			return nil, &FileError{"*" + familySuffix, fmt.Errorf("family %s: key %w", familyText(id), ErrMissing),
				"put its key into the family key directory, or take it out of FamilyId"}
		}
	}
	return list, nil
}

func familyText(id [32]byte) string { return base64.RawStdEncoding.EncodeToString(id[:]) }

// list returns the names of all key files.
func (c *Families) list() (names []string, err error) {
	if c.Dir == nil {
		return nil, nil
	}
	entries, err := fs.ReadDir(c.Dir, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), familySuffix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (c *Families) read(name string) (*keyfile.EdSecret, error) {
	f, err := c.Dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, keyfile.HeaderLen+keyfile.MaxBody+1))
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return keyfile.ParseEdSecret(b, keyfile.TagFamily)
}

// signers are the keys as descriptors want them.
func signers(list []family) []crypto.Signer {
	var s []crypto.Signer
	for _, f := range list {
		s = append(s, f.key)
	}
	return s
}
