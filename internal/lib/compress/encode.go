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
	w, err := NewWriter(m, &out, level)
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
	switch m {
	case Identity:
		return nopCloser{w}, nil
	case Gzip:
		return gzip.NewWriterLevel(w, flateLevel(level))
	case Deflate:
		return zlib.NewWriterLevel(w, flateLevel(level))
	case Zstd:
		return newZstdWriter(w, level)
	case LZMA:
		// Unknown size and end marker, as liblzma's encoder for this format writes.
		return lzma.WriterConfig{DictCap: history(level)}.NewWriter(w)
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

func newZstdWriter(w io.Writer, level Level) (io.WriteCloser, error) {
	speed := zstd.SpeedFastest
	if level == Best {
		speed = zstd.SpeedBestCompression
	}
	return zstd.NewWriter(w,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(speed),
		zstd.WithWindowSize(history(level)),
		zstd.WithZeroFrames(true)) // nothing compresses to an empty frame, not to nothing
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }
