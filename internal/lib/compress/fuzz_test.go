package compress_test

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/tropea-net/tropea/internal/lib/compress"
)

func FuzzDecode(f *testing.F) {
	for _, m := range compressed() {
		src := file(f, "plain."+m.String())
		f.Add(uint8(m), src)
		f.Add(uint8(m), src[:len(src)/2])
		f.Add(uint8(m), append(src, src...))
		f.Add(uint8(m), encoded(f, m, nil))
	}
	f.Fuzz(func(t *testing.T, method uint8, src []byte) {
		m := compress.Method(method)
		limits := compress.Limits{MaxOutput: 1 << 20}
		got, err := compress.Decode(m, src, limits)
		if len(got) > 1<<20 {
			t.Errorf("%d bytes came out", len(got))
		}
		r, errReader := compress.NewReader(m, iotest.HalfReader(bytes.NewReader(src)), limits)
		var streamed []byte
		if errReader == nil {
			streamed, errReader = io.ReadAll(r)
		}
		if (err == nil) != (errReader == nil) || err == nil && !bytes.Equal(got, streamed) {
			t.Errorf("Decode: %d bytes, %v; reader: %d bytes, %v", len(got), err, len(streamed), errReader)
		}
	})
}

func FuzzRoundTrip(f *testing.F) {
	for _, m := range methods {
		f.Add(uint8(m), true, file(f, "plain.txt"))
	}
	f.Fuzz(func(t *testing.T, method uint8, best bool, src []byte) {
		m, level := compress.Method(method%5), compress.Fast
		if best {
			level = compress.Best
		}
		b, err := compress.Encode(m, src, level)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := compress.Decode(m, b, compress.Limits{}); err != nil || !bytes.Equal(got, src) {
			t.Errorf("%v: %d bytes became %d, %v", m, len(src), len(got), err)
		}
	})
}
