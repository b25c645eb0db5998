package compress

import (
	"errors"
	"io"
)

// Errors that [Decode] and the readers of [NewReader] wrap.
var (
	ErrTruncated = errors.New("compressed data is truncated")
	ErrCorrupt   = errors.New("compressed data is corrupt")
	ErrBomb      = errors.New("compressed data is a bomb")
	ErrTooLarge  = errors.New("decompressed data, or the memory to decompress it, is larger than allowed")
	ErrMethod    = errors.New("unknown compression method")
)

// Limits bound what a decoder gives out. The bounds on the ratio and on memory are always in force.
type Limits struct {
	MaxOutput int64 // bytes; 0 means 64 MiB
}

const (
	defaultMaxOutput = 64 << 20

	// From bombFrom bytes of output on, more than bombRatio bytes of output per byte of input are a bomb, as in C
	// tor's tor_compress_is_compression_bomb. The ratio runs over the whole input: a check per concatenated part could
	// be dodged by many parts.
	bombFrom  = 5 << 20
	bombRatio = 25

	// maxWindow bounds the history that a zstd frame may need: the most that levels up to 19 ask for.
	maxWindow = 8 << 20

	// maxDict bounds the dictionary of LZMA, as C tor does.
	maxDict = 16 << 20

	// maxParts bounds how many compressed streams one after the other are decoded as one. Each costs the time to set
	// up its decoder, and with LZMA a fresh dictionary.
	maxParts     = 1024
	maxPartsLZMA = 16
)

func (l Limits) maxOutput() int64 {
	if l.MaxOutput > 0 {
		return l.MaxOutput
	}
	return defaultMaxOutput
}

// isBomb reports whether so much output from so little input is a bomb.
func isBomb(in, out int64) bool { return out >= bombFrom && out > bombRatio*in }

// maxRead is the most that a limiter decodes between two checks.
const maxRead = 64 << 10

// A limiter is a reader of decompressed data that enforces Limits.
type limiter struct {
	r   io.Reader
	in  func() int64 // bytes of input so far
	max int64        // bytes of output allowed
	out int64        // bytes of output so far
	err error        // sticky
}

func (l *limiter) Read(p []byte) (n int, err error) {
	if l.err != nil {
		return 0, l.err
	}
	n, l.err = l.r.Read(p[:min(len(p), maxRead)])
	l.out += int64(n)
	switch {
	case l.out > l.max:
		l.err = ErrTooLarge
		return 0, l.err
	case isBomb(l.in(), l.out):
		l.err = ErrBomb
		return 0, l.err
	}
	return n, l.err
}
