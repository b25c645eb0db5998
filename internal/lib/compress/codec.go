package compress

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz/lzma"
)

// A codec opens compressed streams of one method.
type codec struct {
	// open returns a reader of the stream that starts at br. The stream before, if any, was read to its end.
	open func(br *bufio.Reader) (io.Reader, error)

	// maxParts bounds how often open is called. It is 0 if a stream has no end of its own.
	maxParts int
}

func newCodec(m Method) (codec, error) {
	switch m {
	case Identity:
		return codec{open: func(br *bufio.Reader) (io.Reader, error) { return br, nil }}, nil
	case Gzip:
		return codec{openGzip(), maxParts}, nil
	case Deflate:
		return codec{openDeflate(), maxParts}, nil
	case Zstd:
		// The decoder takes all frames that follow, too.
		return codec{openZstd, 1}, nil
	case LZMA:
		return codec{openLZMA, maxPartsLZMA}, nil
	}
	return codec{}, fmt.Errorf("%w: %d", ErrMethod, m)
}

func openGzip() func(*bufio.Reader) (io.Reader, error) {
	z := new(gzip.Reader)
	return func(br *bufio.Reader) (io.Reader, error) {
		if err := z.Reset(br); err != nil {
			return nil, err
		}
		z.Multistream(false) // parts are counted by the decoder
		return z, nil
	}
}

func openDeflate() func(*bufio.Reader) (io.Reader, error) {
	var z io.ReadCloser
	return func(br *bufio.Reader) (r io.Reader, err error) {
		if z == nil {
			z, err = zlib.NewReader(br)
		} else {
			err = z.(zlib.Resetter).Reset(br, nil)
		}
		return z, err
	}
}

func openZstd(br *bufio.Reader) (io.Reader, error) {
	// The decoder takes a lone byte for the end of the input.
	if _, err := br.Peek(4); err != nil {
		return nil, err
	}
	return zstd.NewReader(br,
		zstd.WithDecoderConcurrency(1), // no goroutines, so nothing to close
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
}

func openLZMA(br *bufio.Reader) (io.Reader, error) {
	r, err := lzma.ReaderConfig{DictCap: maxDict}.NewReader(br)
	return &lzmaReader{r: r}, err
}

// An lzmaReader gives out what was decoded before the input was found to be truncated. The reader of package lzma
// reports that first, but then has the data.
type lzmaReader struct {
	r         io.Reader
	truncated bool
}

func (l *lzmaReader) Read(p []byte) (n int, err error) {
	n, err = l.r.Read(p)
	switch {
	case l.truncated && err == io.EOF:
		err = io.ErrUnexpectedEOF
	case err == io.ErrUnexpectedEOF:
		l.truncated, err = true, nil
	}
	return n, err
}

// needsMemory reports whether err is a codec's refusal to use as much memory as the stream asks for.
func needsMemory(err error) bool {
	_, dict := errors.AsType[*lzma.ErrDictSize](err)
	return dict || errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded)
}
