package cell

import "errors"

// What can be wrong with a cell or with a message in one.
var (
	ErrTruncated      = errors.New("truncated")
	ErrTooLong        = errors.New("too long")
	ErrMalformed      = errors.New("malformed")
	ErrRepeated       = errors.New("repeated")
	ErrBeforeVersions = errors.New("command not allowed before VERSIONS")
)
