package simnet

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// traceLen is how many events a trace keeps.
const traceLen = 4000

// A trace is what nodes have logged last. Times are those of the world, whatever the clocks of nodes say.
type trace struct {
	level slog.Level
	also  slog.Handler // gets all records, too; may be nil

	mu     sync.Mutex
	ring   []entry // of traceLen at most; next is the oldest one then
	next   int
	counts map[Kind]int
	errors []string
}

// A Kind is what log records have in common.
type Kind struct {
	Level slog.Level
	Text  string
}

type entry struct {
	at    time.Time
	node  string
	attrs []slog.Attr
	slog.Record
}

func (t *trace) add(e entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts == nil {
		t.counts = map[Kind]int{}
	}
	t.counts[Kind{e.Level, e.Message}]++
	if e.Level >= slog.LevelError {
		t.errors = append(t.errors, e.String())
	}
	if len(t.ring) < traceLen {
		t.ring = append(t.ring, e)
		return
	}
	t.ring[t.next] = e
	t.next = (t.next + 1) % traceLen
}

func (e *entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %-8s %-5v %s", e.at.UTC().Format("Jan _2 15:04:05.000"), e.node, e.Level, e.Message)
	attr := func(a slog.Attr) bool {
		fmt.Fprintf(&b, " %s=%v", a.Key, a.Value)
		return true
	}
	for _, a := range e.attrs {
		attr(a)
	}
	e.Attrs(attr)
	return b.String()
}

// text is the last n events, one a line.
func (t *trace) text(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var b strings.Builder
	list := slices.Concat(t.ring[t.next:], t.ring[:t.next])
	for i := range list[max(len(list)-n, 0):] {
		b.WriteString(list[max(len(list)-n, 0)+i].String())
		b.WriteByte('\n')
	}
	return b.String()
}

func (t *trace) kinds() map[Kind]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts)
}

// failed lists what was logged as an error: in a healthy program there is none.
func (t *trace) failed() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.errors)
}

// handler returns where a node logs to.
func (t *trace) handler(node string) slog.Handler { return &traceHandler{trace: t, node: node} }

type traceHandler struct {
	trace *trace
	node  string
	attrs []slog.Attr
}

func (h *traceHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.trace.level || h.trace.also != nil && h.trace.also.Enabled(ctx, l)
}

func (h *traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= h.trace.level {
		h.trace.add(entry{at: time.Now(), node: h.node, attrs: h.attrs, Record: r.Clone()})
	}
	if h.trace.also == nil || !h.trace.also.Enabled(ctx, r.Level) {
		return nil
	}
	r = r.Clone()
	r.AddAttrs(append(slices.Clone(h.attrs), slog.String("node", h.node))...)
	return h.trace.also.Handle(ctx, r)
}

func (h *traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &traceHandler{h.trace, h.node, append(slices.Clone(h.attrs), attrs...)}
}

func (h *traceHandler) WithGroup(string) slog.Handler { return h }
