package safelog

import (
	"fmt"
	"io"
	"log/slog"
)

// Scrubbed is what takes the place of a sensitive value in every text.
const Scrubbed = "[scrubbed]"

// Sensitive holds a value that every formatter prints as [scrubbed]. The zero Sensitive holds the zero T.
//
// The value hides in a func because fmt walks into unexported fields of other structs without asking Format.
type Sensitive[T any] struct{ get func() T }

// Of wraps v.
func Of[T any](v T) Sensitive[T] { return Sensitive[T]{func() T { return v }} }

// Reveal returns the value.
func (s Sensitive[T]) Reveal() T {
	if s.get == nil {
		var zero T
		return zero
	}
	return s.get()
}

// RevealAny makes every Sensitive a [Revealer].
func (s Sensitive[T]) RevealAny() any { return s.Reveal() }

// Format prints [scrubbed] for every verb.
func (Sensitive[T]) Format(f fmt.State, _ rune) { io.WriteString(f, Scrubbed) }

// String returns [scrubbed].
func (Sensitive[T]) String() string { return Scrubbed }

// LogValue returns [scrubbed].
func (Sensitive[T]) LogValue() slog.Value { return slog.StringValue(Scrubbed) }

// MarshalText returns [scrubbed]; encoding/json uses it too.
func (Sensitive[T]) MarshalText() ([]byte, error) { return []byte(Scrubbed), nil }

// A Revealer is a value that prints scrubbed and can tell what it hides. An attribute that is one is unwrapped by the
// handler that [Revealing] returns.
type Revealer interface{ RevealAny() any }
