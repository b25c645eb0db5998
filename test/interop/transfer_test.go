package interop_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// bulkTimeout bounds a transfer of 100 MB. It takes some 20 seconds when a machine of two cores has nothing else to do.
const bulkTimeout = 3 * time.Minute

// testTransfers moves bodies of many sizes in both directions. 498 bytes are what one DATA cell holds.
func testTransfers(t *testing.T, b *bed) {
	for _, tt := range []struct {
		name  string
		size  int64
		via   fetcher
		limit time.Duration
	}{
		{"1B", 1, viaCurl, taskTimeout},
		{"498B", 498, viaGo, taskTimeout},
		{"499B", 499, viaGo, taskTimeout},
		{"10KB", 10_000, viaCurl, taskTimeout},
		{"1MB", 1_000_000, viaCurl, taskTimeout},
		{"100MB", 100_000_000, viaGo, bulkTimeout},
	} {
		proxy := proxyURL(b.client.SOCKS, tt.name) // of its own circuit, so that none waits behind another
		t.Run("download "+tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, begin := deadline(t, tt.limit), time.Now()
			if err := download(ctx, tt.via, proxy, b.web.url(b.name("down-"+tt.name), "/body"), tt.name, tt.size); err != nil {
				t.Fatal(err)
			}
			logRate(t, tt.size, begin)
		})
		t.Run("upload "+tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, begin := deadline(t, tt.limit), time.Now()
			if err := upload(ctx, tt.via, proxy, b.web.url(b.name("up-"+tt.name), "/sum"), tt.name, tt.size); err != nil {
				t.Fatal(err)
			}
			logRate(t, tt.size, begin)
		})
	}
}

func logRate(t *testing.T, size int64, begin time.Time) {
	took := time.Since(begin)
	t.Logf("%d bytes in %v, %.2f MiB/s", size, took.Round(time.Millisecond), float64(size)/(1<<20)/took.Seconds())
}

// testStreams has many streams open at once: the server answers none of them before all are there.
func testStreams(t *testing.T, b *bed) {
	ctx, begin := deadline(t, taskTimeout), time.Now()
	base := b.web.url(b.name("streams"), "/meet")
	errs := make([]error, meeting)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			// Half of them share a circuit; the others have one for every twenty.
			user := ""
			if i%2 == 1 {
				user = fmt.Sprint("streams", i/40)
			}
			errs[i] = download(ctx, viaGo, proxyURL(b.client.SOCKS, user), base, fmt.Sprint("stream", i), 20_000)
		})
	}
	wg.Wait()
	failed := 0
	for i, err := range errs {
		if err != nil {
			failed++
			t.Logf("stream %d: %v", i, err)
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d streams failed", failed, meeting)
	}
	t.Logf("%d streams in %v", meeting, time.Since(begin).Round(time.Millisecond))
}
