package config

import "testing"

func TestDefaultQueues32(t *testing.T) {
	for ram, want := range map[uint64]uint64{0: gb, 100 * mb: 256 * mb, 2 * gb: 1536 * mb, 16 * gb: 2 * gb} {
		if got := defaultQueues(ram, 32); got != want {
			t.Errorf("%d bytes of memory: got %d, want %d", ram, got, want)
		}
	}
}
