package relaykeys

import (
	"errors"
	"fmt"
)

// What can be wrong with a file, besides the errors of package keyfile. A [FileError] wraps them.
var (
	ErrMissing     = errors.New("missing")
	ErrMismatch    = errors.New("does not belong to the other keys")
	ErrExpired     = errors.New("certificate has expired")
	ErrExpiresSoon = errors.New("certificate expires soon")
	ErrUnexpected  = errors.New("key is not among those of the option FamilyId")
)

// A FileError says which file is wrong, and what an operator can do about it.
type FileError struct {
	File   string // as in the data directory: "keys/secret_id_key"
	Err    error
	Advice string // what to do; may be empty
}

// Error returns all of it in one line.
func (e *FileError) Error() string {
	if e.Advice == "" {
		return fmt.Sprintf("%s: %v", e.File, e.Err)
	}
	return fmt.Sprintf("%s: %v: %s", e.File, e.Err, e.Advice)
}

// Unwrap returns what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

const adviceBackup = "put back the file from a backup; if you restored one, do not mix files of several relays"
