package interop_test

import (
	"testing"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// TestClient runs everything in one network. First come the tests that leave it as it is, all at once; then those that
// take it apart; and in the end what all the logs say about it.
func TestClient(t *testing.T) {
	ctor.Require(t, "tor")
	if testing.Short() {
		t.Skip("a network takes half a minute")
	}
	b := newBed(t)
	t.Run("calm", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *bed){
			"transfers": testTransfers,
			"streams":   testStreams,
			"names":     testNames,
			"socks4":    testSOCKS4,
			"replies":   testReplies,
			"internal":  testInternal,
			"isolation": testIsolation,
			"http":      testHTTP,
			"library":   testLibrary,
			"cache":     testCache,
			"onions":    testOnionDescriptors,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, b)
			})
		}
	})
	t.Run("deaths", func(t *testing.T) { testDeaths(t, b) })
	t.Run("look-ups", func(t *testing.T) { testLookups(t, b) })
	t.Run("logs", func(t *testing.T) { testLogs(t, b) })
}
