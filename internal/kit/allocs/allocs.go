// Package allocs counts the allocations of one function among many that run beside it: testing.AllocsPerRun counts those of
// the far end, too, when that is in the same process.
package allocs

import (
	"runtime"
	"strings"
	"testing"
)

// During returns how many objects functions of that name, or what they call, allocate while f runs. Chunks of cells do not
// count, since the pool of these is as large as the queues are; nor does what the runtime needs to wait for a mutex.
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
		within, pooled := false, false
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			within = within || strings.Contains(f.Function, name)
			pooled = pooled || strings.HasSuffix(f.Function, "link.newChunk") || f.Function == "runtime.acquireSudog"
		}
		if within && !pooled {
			objects += r.AllocObjects
		}
	}
	return objects
}
