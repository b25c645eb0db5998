package relaymsg

import "errors"

// What can be wrong with a relay cell or with a message in one.
var (
	ErrTruncated      = errors.New("truncated")
	ErrTooLong        = errors.New("too long")
	ErrMalformed      = errors.New("malformed")
	ErrVersion        = errors.New("unknown version")
	ErrUnknownCommand = errors.New("unknown relay command")
	ErrObsolete       = errors.New("obsolete relay command")
	ErrStreamID       = errors.New("stream id does not suit the command")
)
