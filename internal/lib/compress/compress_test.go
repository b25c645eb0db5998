package compress_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/tropea-net/tropea/internal/lib/compress"
)

// methods are all methods; the compressed ones come first.
var methods = []compress.Method{compress.Gzip, compress.Deflate, compress.Zstd, compress.LZMA, compress.Identity}

func compressed() []compress.Method { return methods[:4] }

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// encoded returns src compressed with m, even if it makes a bomb.
func encoded(t testing.TB, m compress.Method, src []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := compress.NewWriter(m, &b, compress.Fast)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(src); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNames(t *testing.T) {
	for _, m := range methods {
		if got, ok := compress.MethodByName(m.String()); got != m || !ok {
			t.Errorf("MethodByName(%q) = %v, %v", m.String(), got, ok)
		}
	}
	if m, ok := compress.MethodByName("x-gzip"); m != compress.Gzip || !ok {
		t.Errorf("x-gzip is %v, %v", m, ok)
	}
	for _, bad := range []string{"", "br", "GZIP", "unknown"} {
		if m, ok := compress.MethodByName(bad); ok {
			t.Errorf("MethodByName(%q) = %v", bad, m)
		}
	}
	if got := compress.Method(99).String(); got != "unknown" {
		t.Errorf("Method(99) is %q", got)
	}
}

// TestForeign decodes what gzip, Python's zlib, zstd and xz wrote.
func TestForeign(t *testing.T) {
	plain := file(t, "plain.txt")
	for _, m := range compressed() {
		t.Run(m.String(), func(t *testing.T) {
			src := file(t, "plain."+m.String())
			if got, ok := compress.Detect(src); got != m || !ok {
				t.Errorf("Detect = %v, %v", got, ok)
			}
			got, err := compress.Decode(m, src, compress.Limits{})
			if err != nil || !bytes.Equal(got, plain) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestDetectNothing(t *testing.T) {
	for _, b := range [][]byte{nil, {0x1f, 0x8b}, []byte("network-status-version 3"), {0x28, 0xb5, 0x2f}, {0x78, 0x9d, 0}} {
		if m, ok := compress.Detect(b); ok {
			t.Errorf("Detect(%x) = %v", b, m)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	for _, m := range methods {
		for _, level := range []compress.Level{compress.Fast, compress.Best} {
			for name, src := range map[string][]byte{"nothing": nil, "document": file(t, "plain.txt"), "long": bytes.Repeat(file(t, "plain.txt"), 100)} {
				b, err := compress.Encode(m, src, level)
				if err != nil {
					t.Fatalf("%v of %s: %v", m, name, err)
				}
				got, err := compress.Decode(m, b, compress.Limits{})
				if err != nil || !bytes.Equal(got, src) {
					t.Errorf("%v of %s: got %d bytes, %v", m, name, len(got), err)
				}
				slow, err := compress.NewReader(m, iotest.OneByteReader(bytes.NewReader(b)), compress.Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(slow); err != nil || !bytes.Equal(got, src) {
					t.Errorf("reader of %v of %s: got %d bytes, %v", m, name, len(got), err)
				}
			}
		}
	}
}

func TestParts(t *testing.T) {
	plain := file(t, "plain.txt")
	for _, m := range methods {
		one := encoded(t, m, plain)
		got, err := compress.Decode(m, slices.Concat(one, encoded(t, m, nil), one), compress.Limits{})
		if err != nil || !bytes.Equal(got, slices.Concat(plain, plain)) {
			t.Errorf("%v: got %d bytes, %v", m, len(got), err)
		}
	}
}

// TestTruncated cuts a document: at every byte of its head and tail, at some between. What was there must come with the
// error, and nothing may hang.
func TestTruncated(t *testing.T) {
	plain := file(t, "plain.txt")
	for _, m := range compressed() {
		src := file(t, "plain."+m.String())
		for n := range src {
			if n > 40 && n < len(src)-40 && n%61 != 0 {
				continue
			}
			got, err := compress.Decode(m, src[:n], compress.Limits{})
			if !errors.Is(err, compress.ErrTruncated) || !bytes.HasPrefix(plain, got) {
				t.Fatalf("%v cut after %d of %d bytes: %d bytes, %v", m, n, len(src), len(got), err)
			}
			if n == len(src)-1 && m != compress.Zstd && len(got) < len(plain)-300 {
				t.Errorf("%v: of %d bytes only %d came with the error", m, len(plain), len(got))
			}
		}
	}
}

func TestBadInputs(t *testing.T) {
	zeros, rubbish := make([]byte, 6<<20), bytes.Repeat([]byte{0xff}, 60)
	lzmaHeader := func(dict uint32, props byte) []byte {
		return append([]byte{props, byte(dict), byte(dict >> 8), byte(dict >> 16), byte(dict >> 24)}, bytes.Repeat([]byte{0xff}, 8)...)
	}
	flip := func(b []byte, i int) []byte { b = bytes.Clone(b); b[(len(b)+i)%len(b)] ^= 1; return b }
	type test struct {
		name   string
		m      compress.Method
		src    []byte
		limits compress.Limits
		want   error
	}
	tests := []test{
		{"method", compress.Method(9), nil, compress.Limits{}, compress.ErrMethod},
		{"identity too large", compress.Identity, make([]byte, 101), compress.Limits{MaxOutput: 100}, compress.ErrTooLarge},
		{"gzip checksum", compress.Gzip, flip(file(t, "plain.gzip"), -8), compress.Limits{}, compress.ErrCorrupt},
		{"gzip length", compress.Gzip, flip(file(t, "plain.gzip"), -1), compress.Limits{}, compress.ErrCorrupt},
		{"zlib checksum", compress.Deflate, flip(file(t, "plain.deflate"), -1), compress.Limits{}, compress.ErrCorrupt},
		{"zlib preset dictionary", compress.Deflate, []byte{0x78, 0xbb, 1, 2, 3, 4, 5, 6}, compress.Limits{}, compress.ErrCorrupt},
		{"raw deflate", compress.Deflate, file(t, "plain.deflate")[2:], compress.Limits{}, compress.ErrCorrupt},
		{"zstd checksum", compress.Zstd, flip(file(t, "plain.x-zstd"), -1), compress.Limits{}, compress.ErrCorrupt},
		{"zstd window of 1 GiB", compress.Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 20 << 3, 1, 0, 0}, compress.Limits{}, compress.ErrTooLarge},
		{"zstd single segment of 1 GiB", compress.Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 1, 0, 0}, compress.Limits{}, compress.ErrTooLarge},
		{"zstd dictionary", compress.Zstd, []byte{0x28, 0xb5, 0x2f, 0xfd, 0x01, 0, 7, 1, 0, 0}, compress.Limits{}, compress.ErrCorrupt},
		{"zstd endless skip", compress.Zstd, []byte{0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff}, compress.Limits{}, compress.ErrTruncated},
		{"lzma dictionary of 1 GiB", compress.LZMA, lzmaHeader(1<<30, 0x5d), compress.Limits{}, compress.ErrTooLarge},
		{"lzma properties", compress.LZMA, append(lzmaHeader(1<<16, 0xff), 0, 0, 0, 0, 0), compress.Limits{}, compress.ErrCorrupt},
		{"lzma first byte", compress.LZMA, append(lzmaHeader(1<<16, 0x5d), 1, 0, 0, 0, 0), compress.Limits{}, compress.ErrCorrupt},
		{"xz container", compress.LZMA, file(t, "plain.xz"), compress.Limits{}, compress.ErrCorrupt},
		{"bomb in parts", compress.Gzip, bytes.Repeat(encoded(t, compress.Gzip, zeros[:4<<20]), 4), compress.Limits{}, compress.ErrBomb},
		{"too many empty parts", compress.Gzip, bytes.Repeat(encoded(t, compress.Gzip, nil), 5000), compress.Limits{}, compress.ErrTooLarge},
		{"too many dictionaries", compress.LZMA, bytes.Repeat(encoded(t, compress.LZMA, nil), 5000), compress.Limits{}, compress.ErrTooLarge},
	}
	for _, m := range compressed() {
		good := file(t, "plain."+m.String())
		tests = append(tests,
			test{"nothing as " + m.String(), m, nil, compress.Limits{}, compress.ErrTruncated},
			test{"rubbish as " + m.String(), m, rubbish, compress.Limits{}, compress.ErrCorrupt},
			test{"rubbish after " + m.String(), m, append(good, rubbish...), compress.Limits{}, compress.ErrCorrupt},
			test{"bomb of " + m.String(), m, encoded(t, m, zeros), compress.Limits{}, compress.ErrBomb},
			test{"too large " + m.String(), m, good, compress.Limits{MaxOutput: 1000}, compress.ErrTooLarge})
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := compress.Decode(tt.m, tt.src, tt.limits)
			if !errors.Is(err, tt.want) {
				t.Errorf("Decode: %v, want %v", err, tt.want)
			}
			if tt.want != compress.ErrTruncated && got != nil {
				t.Errorf("Decode returns %d bytes with %v", len(got), err)
			}
			r, err := compress.NewReader(tt.m, bytes.NewReader(tt.src), tt.limits)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("reader: %v, want %v", err, tt.want)
			}
			if r != nil {
				if _, again := r.Read(make([]byte, 1)); again != err {
					t.Errorf("the error is forgotten: %v", again)
				}
			}
		})
	}
}

func TestSmallInflationIsNoBomb(t *testing.T) {
	zeros := make([]byte, 5<<20-1)
	for _, m := range compressed() {
		if got, err := compress.Decode(m, encoded(t, m, zeros), compress.Limits{}); err != nil || len(got) != len(zeros) {
			t.Errorf("%v: %d bytes, %v", m, len(got), err)
		}
	}
}

func TestEncodeRefusesBombs(t *testing.T) {
	for _, m := range compressed() {
		if _, err := compress.Encode(m, make([]byte, 6<<20), compress.Fast); !errors.Is(err, compress.ErrBomb) {
			t.Errorf("%v: %v, want ErrBomb", m, err)
		}
	}
	if _, err := compress.Encode(compress.Identity, make([]byte, 6<<20), compress.Fast); err != nil {
		t.Error(err)
	}
	if _, err := compress.Encode(9, nil, compress.Fast); !errors.Is(err, compress.ErrMethod) {
		t.Errorf("unknown method: %v", err)
	}
}

func TestInputErrorPasses(t *testing.T) {
	broken := errors.New("connection lost")
	for _, m := range methods {
		src := io.MultiReader(bytes.NewReader(encoded(t, m, file(t, "plain.txt"))[:100]), iotest.ErrReader(broken))
		r, err := compress.NewReader(m, src, compress.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); err != broken {
			t.Errorf("%v: %v, want the input's error", m, err)
		}
	}
}

// TestNothingIsShared runs the codecs in two bubbles: a global with a channel or goroutine would panic in the second.
func TestNothingIsShared(t *testing.T) {
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			for _, m := range methods {
				b, err := compress.Encode(m, file(t, "plain.txt"), compress.Best)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := compress.Decode(m, b, compress.Limits{}); err != nil {
					t.Error(err)
				}
				r, _ := compress.NewReader(m, bytes.NewReader(b), compress.Limits{})
				r.Read(make([]byte, 1)) // and abandons it
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	plain := bytes.Repeat(file(b, "plain.txt"), 400)
	for _, m := range methods {
		b.Run(m.String(), func(b *testing.B) {
			src, err := compress.Encode(m, plain[:4<<20/5], compress.Best)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(4 << 20 / 5)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := compress.Decode(m, src, compress.Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
