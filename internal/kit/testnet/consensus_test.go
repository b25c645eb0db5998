package testnet

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const consensusText = `network-status-version 3
s Stray
r authority1 a4DdtwDhrxqhpUhu1hrxDr1AfyE p2zYV++IYqXSeia0u4UBM3JNWYI 2026-11-22 15:20:51 127.0.0.1 42409 40003
s Authority Fast Running Stable Valid
w Bandwidth=96 Unmeasured=1
r relay1 j1/OJAtpgNQ90dU/o69GYrYxATk 3fTZmvxmsoEkQ0kJtCVzfUJR8VE 2026-11-22 15:20:51 127.0.0.1 45827 0
s
r
`

// https://spec.torproject.org/dir-spec/consensus-formats.html
func TestScanFlags(t *testing.T) {
	got, err := scanFlags(strings.NewReader(consensusText))
	want := map[string][]string{"authority1": {"Authority", "Fast", "Running", "Stable", "Valid"}, "relay1": {}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, difference (-want +got):\n%s", err, diff)
	}
}

func FuzzScanFlags(f *testing.F) {
	f.Add(consensusText)
	f.Fuzz(func(t *testing.T, text string) { scanFlags(strings.NewReader(text)) })
}
