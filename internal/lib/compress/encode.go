package compress

import (
	"bytes"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz/lzma"
)

// A Level says how hard to compress. The zero Level is Fast.
type Level uint8

const (
	Fast Level = iota // for answers that are made on demand
	Best              // for documents that are compressed once and served many times
)

// Encode compresses src. It fails with [ErrBomb] if the result were one to its receiver; such a document can only be
// sent as Identity.
func Encode(m Method, src []byte, level Level) ([]byte, error) {
	var out bytes.Buffer
	w, err := newWriter(m, &out, level, historyFor(len(src), level))
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(src); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if isBomb(int64(out.Len()), int64(len(src))) {
		return nil, fmt.Errorf("%v: %w", m, ErrBomb)
	}
	return out.Bytes(), nil
}

// NewWriter returns a writer that compresses to w. Close ends the compressed stream; it does not close w.
func NewWriter(m Method, w io.Writer, level Level) (io.WriteCloser, error) {
	return newWriter(m, w, level, history(level))
}

func newWriter(m Method, w io.Writer, level Level, back int) (io.WriteCloser, error) {
	switch m {
	case Identity:
		return nopCloser{w}, nil
	case Gzip:
		return gzip.NewWriterLevel(w, flateLevel(level))
	case Deflate:
		return zlib.NewWriterLevel(w, flateLevel(level))
	case Zstd:
		return newZstdWriter(w, level, back)
	case LZMA:
		// Unknown size and end marker, as liblzma's encoder for this format writes.
		return lzma.WriterConfig{DictCap: back}.NewWriter(w)
	}
	return nil, fmt.Errorf("%w: %d", ErrMethod, m)
}

func flateLevel(level Level) int {
	if level == Best {
		return flate.BestCompression
	}
	return flate.BestSpeed
}

// history returns how far back matches may lie with zstd and LZMA. Both ends need memory for it.
func history(level Level) int {
	if level == Best {
		return 8 << 20
	}
	return 1 << 20
}

// minHistory is the least that C tor knows LZMA by: it looks for two zero bytes where the size of the dictionary begins
// (detect_compression_method).
const minHistory = 64 << 10

// historyFor is history for a document of n bytes, which needs no more than itself.
func historyFor(n int, level Level) int {
	back := minHistory
	for back < n {
		back *= 2
	}
	return min(back, history(level))
}

func newZstdWriter(w io.Writer, level Level, back int) (io.WriteCloser, error) {
	speed := zstd.SpeedFastest
	switch {
	case level == Best && back >= 1<<20:
		speed = zstd.SpeedBestCompression
	case level == Best: // the tables of the best are 34 MB
		speed = zstd.SpeedBetterCompression
	}
	return zstd.NewWriter(w,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(speed),
		zstd.WithWindowSize(back),
		zstd.WithZeroFrames(true)) // nothing compresses to an empty frame, not to nothing
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
