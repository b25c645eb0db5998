package safelog

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// Error returns an error that prints as text, which must hold nothing sensitive, in place of err's own text. It
// unwraps to err, so that errors.Is and errors.AsType see through it, and [RevealText] finds the hidden text. If err
// is a net.Error, so is the result. Error returns nil if err is nil.
func Error(err error, text string) error {
	if err == nil {
		return nil
	}
	return &scrubbedError{text: text, hidden: func() error { return err }}
}

// A scrubbedError hides an error behind a harmless text. See [Sensitive] for why it hides in a func.
type scrubbedError struct {
	text   string
	hidden func() error
}

func (e *scrubbedError) Error() string                { return e.text }
func (e *scrubbedError) Unwrap() error                { return e.hidden() }
func (e *scrubbedError) Format(f fmt.State, _ rune)   { io.WriteString(f, e.text) }
func (e *scrubbedError) MarshalText() ([]byte, error) { return []byte(e.text), nil }

// Timeout and Temporary repeat the answers of the hidden error: crypto/tls and net/http ask for a net.Error by a type
// assertion, which does not unwrap.
func (e *scrubbedError) Timeout() bool {
	t, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](e.hidden())
	return ok && t.Timeout()
}

func (e *scrubbedError) Temporary() bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](e.hidden())
	return ok && t.Temporary()
}

// RevealText returns the text of err with what [Error] hid put back. It is for SafeLogging 0 alone.
func RevealText(err error) string {
	text := err.Error()
	for _, e := range scrubbedIn(err, nil) {
		// A caller that wrapped e with fmt.Errorf has baked e's harmless text into its own.
		text = strings.Replace(text, e.text, RevealText(e.hidden()), 1)
	}
	return text
}

// scrubbedIn appends to found the outermost scrubbed errors within the tree of err, in the order of a depth-first walk.
func scrubbedIn(err error, found []*scrubbedError) []*scrubbedError {
	switch e := err.(type) {
	case *scrubbedError:
		return append(found, e)
	case interface{ Unwrap() error }:
		return scrubbedIn(e.Unwrap(), found)
	case interface{ Unwrap() []error }:
		for _, sub := range e.Unwrap() {
			found = scrubbedIn(sub, found)
		}
	}
	return found
}
