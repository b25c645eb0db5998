package netdoc

import (
	"errors"
	"fmt"
)

// What can be wrong with a document. The errors of this package wrap one of these.
var (
	ErrTruncated  = errors.New("truncated")              // a line without newline, an object without end
	ErrTooLong    = errors.New("longer than allowed")    // a line or object
	ErrBadByte    = errors.New("NUL or carriage return") // anywhere
	ErrBadKeyword = errors.New("malformed keyword")
	ErrBadObject  = errors.New("malformed object") // its lines, tag, base64 or size
	ErrMissing    = errors.New("missing")          // an item, argument or object
	ErrTooMany    = errors.New("too many")         // items or arguments
	ErrMisplaced  = errors.New("not allowed here") // an item, annotation or object
	ErrBadValue   = errors.New("malformed argument")
	ErrUnsafe     = errors.New("text would break the document") // from the encoder alone
)

// Error says where a document is wrong.
type Error struct {
	Line    int    // from 1; 0 if it is about no line
	Keyword string // of the item; may be empty
	Err     error
}

// Error tells line and keyword before the reason.
func (e *Error) Error() string {
	switch {
	case e.Line == 0 && e.Keyword == "":
		return e.Err.Error()
	case e.Line == 0:
		return fmt.Sprintf("item %q: %v", e.Keyword, e.Err)
	case e.Keyword == "":
		return fmt.Sprintf("line %d: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("line %d, item %q: %v", e.Line, e.Keyword, e.Err)
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }
