package interop_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/testnet"
)

// testCache starts a client again after an orderly end, and after a crash in the middle of a download. It must come up
// with what is on disk.
func testCache(t *testing.T, b *bed) {
	node := b.add(t, testnet.NodeConfig{Name: "client5"})
	name := b.name("cache")
	b.works(t, node.SOCKS, name, "first")
	if !downloads.MatchString(readLog(t, node)) {
		t.Error("the log does not tell of the downloads of the first start")
	}
	for _, tt := range []struct {
		name string
		end  func() error
	}{
		{"after SIGTERM", node.Stop},
		{"after SIGKILL", func() error { node.Kill(); return nil }},
	} {
		d := b.startEndless(t, node, b.name("endless"))
		if err := tt.end(); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		d.wantEnd(t, 10*time.Second)
		begin, before := time.Now(), len(readLog(t, node))
		restart(t, node)
		took := time.Since(begin)
		if line := downloads.FindString(readLog(t, node)[before:]); line != "" {
			t.Errorf("start %s downloaded the directory: %q", tt.name, line)
		}
		b.works(t, node.SOCKS, name, tt.name)
		t.Logf("%s: at 100 %% after %v", tt.name, took.Round(time.Millisecond))
	}
}

// downloads are the phases of a start that needs documents from the network.
var downloads = regexp.MustCompile(`Bootstrapped .*\((requesting_status|loading_status|loading_keys|requesting_descriptors|loading_descriptors)\).*`)
