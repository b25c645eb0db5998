package logfmt

import (
	"context"
	"log/slog"

	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// Handler returns the handler that writes to o. It follows every later Configure.
func (o *Output) Handler() slog.Handler { return handler{out: o} }

// handler keeps attributes as they are until a message comes: what SafeLogging says by then decides how they print.
type handler struct {
	out    *Output
	prefix string // of keys, from groups
	attrs  []slog.Attr
}

func (h handler) Enabled(_ context.Context, l slog.Level) bool { return h.out.enabled(l) }

func (h handler) Handle(ctx context.Context, rec slog.Record) error {
	full := slog.NewRecord(rec.Time, rec.Level, rec.Message, rec.PC)
	full.AddAttrs(h.attrs...)
	rec.Attrs(func(a slog.Attr) bool {
		full.AddAttrs(h.qualify(a))
		return true
	})
	var w slog.Handler = writer{handler{out: h.out}}
	if h.out.reveals() {
		w = safelog.Revealing(w)
	}
	return w.Handle(ctx, full)
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	all := append([]slog.Attr{}, h.attrs...)
	for _, a := range attrs {
		all = append(all, h.qualify(a))
	}
	h.attrs = all
	return h
}

func (h handler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.prefix += name + "."
	}
	return h
}

func (h handler) qualify(a slog.Attr) slog.Attr {
	if h.prefix != "" && a.Key != "" {
		a.Key = h.prefix + a.Key
	}
	return a
}

// writer is the last handler: what it is given may be printed.
type writer struct{ handler }

func (w writer) Handle(_ context.Context, rec slog.Record) error {
	w.out.write(rec)
	return nil
}
