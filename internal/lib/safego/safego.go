// Package safego starts goroutines that cannot take the program down.
//
// Every go statement of the project passes [Go]: a panic, which hostile input may have caused, ends its goroutine
// alone, is counted, and is logged with its stack. Whoever must clean up after one, such as a link that has to close
// a circuit, calls [Run] around the work and looks at its answer.
package safego

import (
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tropea-net/tropea/internal/lib/safelog"
)

// panics counts the panics that were contained, for metrics and for tests. It is the package's only state.
var panics atomic.Uint64

// Panics returns how many panics were contained since the program started.
func Panics() uint64 { return panics.Load() }

// Go runs f in a goroutine of wg. A panic in f is contained as [Run] says. The name, a constant, tells in the log
// what f was; log must not be nil.
func Go(wg *sync.WaitGroup, log *slog.Logger, name string, f func()) {
	wg.Go(func() { Run(log, name, f) })
}

// Run calls f and reports whether it panicked. A panic is counted and logged; it does not spread.
func Run(log *slog.Logger, name string, f func()) (panicked bool) {
	defer func() {
		// A nil answer means no panic: panic(nil) arrives as a *runtime.PanicNilError.
		if v := recover(); v != nil {
			panicked = true
			report(log, name, v)
		}
	}()
	f()
	return false
}

const (
	maxStack  = 16 << 10 // bytes of one logged stack
	maxStacks = 64       // stacks that one process logs: whoever finds a panic must not be able to fill the disk
)

func report(log *slog.Logger, name string, v any) {
	attrs := []any{"goroutine", name, "panic", describe(v)}
	if panics.Add(1) <= maxStacks {
		stack := make([]byte, maxStack)
		attrs = append(attrs, "stack", string(stack[:runtime.Stack(stack, false)]))
	}
	log.Error("Bug: a goroutine panicked; it was stopped and the rest goes on", attrs...)
}

// describe returns what the log may show of v. Texts of the runtime and of our own panic statements hold no data of
// users; any other value may.
func describe(v any) any {
	switch v := v.(type) {
	case runtime.Error:
		return v.Error()
	case string:
		return v
	}
	return safelog.Of(fmt.Sprint(v))
}
