package safelog

import (
	"context"
	"log/slog"
)

// Revealing returns a handler that unwraps every [Revealer] and every scrubbed error among the attributes, in groups
// and behind LogValuers too, and passes the record on to h. It implements SafeLogging 0.
//
// It is a handler and not a ReplaceAttr function because slog resolves LogValue, which scrubs, before ReplaceAttr.
func Revealing(h slog.Handler) slog.Handler { return revealing{h} }

type revealing struct{ slog.Handler }

func (r revealing) Handle(ctx context.Context, rec slog.Record) error {
	out := slog.NewRecord(rec.Time, rec.Level, rec.Message, rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(slog.Attr{Key: a.Key, Value: reveal(a.Value)})
		return true
	})
	return r.Handler.Handle(ctx, out)
}

func (r revealing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return revealing{r.Handler.WithAttrs(revealAll(attrs))}
}

func (r revealing) WithGroup(name string) slog.Handler {
	return revealing{r.Handler.WithGroup(name)}
}

func revealAll(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = slog.Attr{Key: a.Key, Value: reveal(a.Value)}
	}
	return out
}

// maxResolve bounds how often reveal unwraps one value, as slog does in Value.Resolve.
const maxResolve = 100

func reveal(v slog.Value) slog.Value {
	for range maxResolve {
		if v.Kind() == slog.KindGroup {
			return slog.GroupValue(revealAll(v.Group())...)
		}
		if v.Kind() != slog.KindAny && v.Kind() != slog.KindLogValuer {
			return v
		}
		switch x := v.Any().(type) {
		case Revealer:
			v = slog.AnyValue(x.RevealAny())
		case slog.LogValuer:
			next, ok := logValue(x)
			if !ok {
				return v // the handler below resolves it again and reports the panic
			}
			v = next
		case error:
			return slog.StringValue(RevealText(x))
		default:
			return v
		}
	}
	return v
}

// logValue calls x.LogValue and contains a panic there: a LogValuer that is a nil pointer panics often.
func logValue(x slog.LogValuer) (v slog.Value, ok bool) {
	defer func() { _ = recover() }()
	return x.LogValue(), true
}
