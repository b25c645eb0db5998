package safego_test

import (
	"bytes"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tropea-net/tropea/internal/lib/safego"
)

func TestPanicIsContained(t *testing.T) {
	tests := []struct {
		name string
		f    func()
		want string // in the log; empty if nothing is to be logged
	}{
		{"no panic", func() {}, ""},
		{"Goexit", runtime.Goexit, ""},
		{"text", func() { panic("cell: impossible state") }, "cell: impossible state"},
		{"runtime error", func() { var p *int; *p = 1 }, "nil pointer dereference"},
		{"nil", func() { panic(nil) }, "panic called with nil argument"},
		{"value that may be sensitive", func() { panic(errors.New("192.0.2.1")) }, "panic=[scrubbed]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			before := safego.Panics()
			var wg sync.WaitGroup
			safego.Go(&wg, slog.New(slog.NewTextHandler(&b, nil)), "worker", tt.f)
			wg.Wait()
			log, counted := b.String(), safego.Panics()-before
			if tt.want == "" {
				if log != "" || counted != 0 {
					t.Errorf("logged %q and counted %d, want nothing", log, counted)
				}
				return
			}
			if counted != 1 {
				t.Errorf("counted %d panics, want 1", counted)
			}
			for _, want := range []string{tt.want, "goroutine=worker", "safego_test.go"} {
				if !strings.Contains(log, want) {
					t.Errorf("log %q does not contain %q", log, want)
				}
			}
			if strings.Contains(log, "192.0.2.1") {
				t.Errorf("log %q leaks the panic's value", log)
			}
		})
	}
}

func TestRunTells(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	if safego.Run(log, "w", func() {}) {
		t.Error("Run reports a panic where none was")
	}
	if !safego.Run(log, "w", func() { panic("x") }) {
		t.Error("Run does not report the panic")
	}
}
