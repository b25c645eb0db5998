package safelog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/safelog"
)

const secret = "s3cret.example.com"

// holder has the wrapped value where fmt and encoders reach it without calling its methods.
type holder struct {
	Name    string
	private safelog.Sensitive[string]
	Public  safelog.Sensitive[string]
	ptr     *safelog.Sensitive[string]
}

func newHolder() holder {
	s := safelog.Of(secret)
	return holder{"h", s, s, &s}
}

func TestEveryFormatterScrubs(t *testing.T) {
	s, h := safelog.Of(secret), newHolder()
	e := safelog.Error(errors.New("dial "+secret), "dial [scrubbed]")
	values := map[string]any{"value": s, "pointer": &s, "struct": h, "struct pointer": &h, "slice": []any{s}, "map": map[string]any{"k": s},
		"error": e, "wrapped error": fmt.Errorf("attach: %w", e), "error in struct": struct{ err error }{e}, "ints": safelog.Of([]byte(secret))}
	texts := map[string]func(any) string{
		"slog text": func(v any) string {
			return logLine(v, func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) })
		},
		"slog json": func(v any) string {
			return logLine(v, func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) })
		},
		"json":  func(v any) string { b, _ := json.Marshal(v); return string(b) },
		"value": func(v any) string { return slog.AnyValue(v).String() },
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		texts[verb] = func(v any) string { return fmt.Sprintf(verb, v) }
	}
	bytesAsText := strings.Trim(fmt.Sprint([]byte(secret)), "[]")
	for vname, v := range values {
		for tname, text := range texts {
			got := text(v)
			if strings.Contains(got, secret) || strings.Contains(got, fmt.Sprintf("%x", secret)) || strings.Contains(got, bytesAsText) {
				t.Errorf("%s of %s leaks: %s", tname, vname, got)
			}
		}
	}
	if got := fmt.Sprintf("%s|%d", s, s); got != "[scrubbed]|[scrubbed]" {
		t.Errorf("got %q", got)
	}
}

func logLine(v any, h func(io.Writer) slog.Handler) string {
	var b bytes.Buffer
	slog.New(h(&b)).With("w", v).WithGroup("g").Info("m", "v", v)
	return b.String()
}

func TestReveal(t *testing.T) {
	if got := safelog.Of(7).Reveal(); got != 7 {
		t.Errorf("Reveal = %d, want 7", got)
	}
	if got := (safelog.Sensitive[int]{}).Reveal(); got != 0 {
		t.Errorf("Reveal of the zero Sensitive = %d, want 0", got)
	}
}

// nested resolves to a group that holds a wrapped value.
type nested struct{}

func (nested) LogValue() slog.Value { return slog.GroupValue(slog.Any("in", safelog.Of("inner"))) }

// endless is a LogValuer that never resolves.
type endless struct{}

func (e endless) LogValue() slog.Value { return slog.AnyValue(e) }

type failing struct{}

func (*failing) LogValue() slog.Value { panic("nil pointer or the like") }

func TestRevealingHandler(t *testing.T) {
	hidden := safelog.Error(errors.New("dial 192.0.2.1: refused"), "dial [scrubbed]: refused")
	tests := []struct {
		name string
		attr slog.Attr
		want string
	}{
		{"plain", slog.Int("v", 3), "v=3"},
		{"value", slog.Any("v", safelog.Of(secret)), "v=" + secret},
		{"pointer", slog.Any("v", new(safelog.Sensitive[int])), "v=0"},
		{"group", slog.Group("v", "a", safelog.Of("x")), "v.a=x"},
		{"valuer", slog.Any("v", nested{}), "v.in=inner"},
		{"wrapped twice", slog.Any("v", safelog.Of(safelog.Of("deep"))), "v=deep"},
		{"error", slog.Any("v", fmt.Errorf("attach: %w", hidden)), `v="attach: dial 192.0.2.1: refused"`},
		{"joined errors", slog.Any("v", errors.Join(hidden, io.EOF)), `v="dial 192.0.2.1: refused\nEOF"`},
		{"other any", slog.Any("v", []int{1}), "v=[1]"},
		{"panic in LogValue", slog.Any("v", (*failing)(nil)), "v="},
		{"endless LogValue", slog.Any("v", endless{}), "v="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			log := slog.New(safelog.Revealing(slog.NewTextHandler(&b, nil)))
			log.Info("m", tt.attr)
			log.With(tt.attr).WithGroup("g").Info("m")
			for line := range strings.Lines(b.String()) {
				if !strings.Contains(line, tt.want) {
					t.Errorf("got %q, want it to contain %q", line, tt.want)
				}
			}
		})
	}
}

func TestErrorStaysItself(t *testing.T) {
	op := &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
	err := safelog.Error(op, "read [scrubbed]: timed out")
	if got, ok := errors.AsType[*net.OpError](err); !ok || got != op {
		t.Error("errors.AsType does not find the hidden error")
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("errors.Is does not see through")
	}
	if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
		t.Error("a hidden net.Error is none any more")
	}
	if tmp, ok := err.(interface{ Temporary() bool }); !ok || !tmp.Temporary() {
		t.Error("a hidden temporary error is none any more, which crypto/tls asks for")
	}
	if safelog.Error(nil, "x") != nil {
		t.Error("Error(nil) is not nil")
	}
}

func TestLevelsAreOrdered(t *testing.T) {
	levels := []slog.Level{safelog.LevelDebug, safelog.LevelInfo, safelog.LevelNotice, safelog.LevelWarn, safelog.LevelErr}
	for i := 1; i < len(levels); i++ {
		if levels[i-1] >= levels[i] {
			t.Errorf("level %v is not below %v", levels[i-1], levels[i])
		}
	}
}
