// Package statefile stores what must survive the program: state, keys, journals and caches, one file each.
//
// [Dir] keeps the files in a directory on disk in such a way that a kill at any moment leaves every file readable:
// whole files are replaced in one step, journals may at worst have a torn tail. [Mem] keeps them in memory for tests
// and can be told to fail.
package statefile

import (
	"errors"
	"fmt"
	"strings"
)

// A Store holds named files. Its methods are safe for concurrent use.
//
// A name is one element, "state", or two, "keys/secret_id_key"; see [CheckName]. A sub-directory comes into being with
// its first file.
type Store interface {
	// Read returns the contents of a file. The error wraps fs.ErrNotExist if there is none.
	Read(name string) ([]byte, error)

	// WriteWhole replaces a file, or makes it. Whatever happens, the file has the old contents or the new ones. Once
	// it returns without an error, the new ones are on the disk.
	WriteWhole(name string, data []byte) error

	// Append adds data to the end of a file, or makes it. If the program or the machine dies, a part of data may
	// have been added: readers of journals tolerate a torn tail.
	Append(name string, data []byte) error

	// Remove deletes a file. The error wraps fs.ErrNotExist if there is none.
	Remove(name string) error

	// Map returns the contents of a file without reading them all, if it can. The data must not be written to, nor
	// used after close, which must be called once. The error wraps fs.ErrNotExist if there is no such file.
	Map(name string) (data []byte, close func(), err error)
}

// ErrName is wrapped by the errors about names that no file of a [Store] can have.
var ErrName = errors.New("not a valid name of a state file")

// CheckName reports whether name may name a file: one or two elements between slashes, each of which is neither empty
// nor starts with a dot nor holds a backslash, a colon or a control character. The ending ".tmp" is for files that are
// being written.
func CheckName(name string) error {
	dir, file, nested := strings.Cut(name, "/")
	if !validElem(dir) || nested && !validElem(file) || strings.HasSuffix(name, tmpSuffix) {
		return fmt.Errorf("%w: %q", ErrName, name)
	}
	return nil
}

func validElem(s string) bool {
	return s != "" && s[0] != '.' && !strings.ContainsFunc(s, func(r rune) bool {
		return r == '/' || r == '\\' || r == ':' || r < ' ' || r == 0x7f
	})
}
