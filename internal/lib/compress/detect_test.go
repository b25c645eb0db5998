package compress

import (
	"bytes"
	"testing"
)

// C tor tells methods by the first bytes, whatever the length of the document.
func TestDetectable(t *testing.T) {
	for _, n := range []int{1, 100, 5000, 70_000, 300_000} {
		for m, want := range map[Method]string{LZMA: "\x5d\x00\x00", Zstd: "\x28\xb5\x2f\xfd", Gzip: "\x1f\x8b"} {
			out, err := Encode(m, bytes.Repeat([]byte("directory "), n/10+1)[:n], Best)
			if err != nil {
				continue // it would be a bomb
			}
			if !bytes.HasPrefix(out, []byte(want)) {
				t.Errorf("%v of %d bytes begins with % x", m, n, out[:min(len(out), 4)])
			}
		}
	}
}
