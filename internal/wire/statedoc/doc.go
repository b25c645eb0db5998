// Package statedoc reads and writes C tor's file "state", in which a node remembers guards, circuit build times,
// bandwidth history and accounting across restarts.
//
// The file is a list of lines "Key value" in the grammar of torrc; some keys come several times. Keys that nobody here
// knows, such as those of a later version, are kept. A [Document] that is not changed is written back byte for byte, so
// that one can switch to C tor and back; only continued lines, which C tor never writes, become whole.
package statedoc

import "errors"

// Errors of this package. All parsers wrap one of them, or one of package torrc.
var (
	ErrTooLong = errors.New("state file is too long")
	ErrSyntax  = errors.New("malformed value")
	ErrMissing = errors.New("missing field")
)
