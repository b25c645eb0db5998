// Package allocs counts the allocations of one function among many that run beside it: testing.AllocsPerRun counts those of
// the far end, too, when that is in the same process.
package allocs

import (
	"runtime"
	"strings"
	"testing"
)

// During returns how many objects functions of that name, or what they call, allocate while f runs, but for chunks of cells:
// the pool of these is as large as the queues are.
func During(t testing.TB, name string, f func()) int64 {
	t.Helper()
	defer func(rate int) { runtime.MemProfileRate = rate }(runtime.MemProfileRate)
	runtime.MemProfileRate = 1
	before := allocated(t, name)
	f()
	return allocated(t, name) - before
}

func allocated(t testing.TB, name string) (objects int64) {
	t.Helper()
	runtime.GC() // the profile is of what was before the last collection
	runtime.GC()
	records := make([]runtime.MemProfileRecord, 10_000)
	n, ok := runtime.MemProfile(records, true)
	if !ok {
		t.Fatalf("%d records", n)
	}
	for _, r := range records[:n] {
		frames := runtime.CallersFrames(r.Stack())
		within, chunk := false, false
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			within = within || strings.Contains(f.Function, name)
			chunk = chunk || strings.HasSuffix(f.Function, "link.newChunk")
		}
		if within && !chunk {
			objects += r.AllocObjects
		}
	}
	return objects
}
