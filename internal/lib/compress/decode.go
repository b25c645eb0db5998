package compress

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Decode decompresses the whole of src, which may be several compressed streams one after the other, as C tor takes
// them. With [ErrTruncated] it returns what was there to decode, since a caller that wants many small documents can
// use those that are complete; with any other error it returns nothing.
func Decode(m Method, src []byte, limits Limits) ([]byte, error) {
	d, err := newDecoder(m, bytes.NewReader(src))
	if err != nil {
		return nil, err
	}
	all := int64(len(src))
	r := &limiter{r: d, in: func() int64 { return all }, max: limits.maxOutput()}

	// Directory documents shrink to a third or a fourth, and the factor may be what the sender likes: grow later.
	out := make([]byte, 0, min(all*3, limits.maxOutput())+bytes.MinRead)
	for {
		out = slices.Grow(out, bytes.MinRead)
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case err == nil:
		case err == io.EOF:
			return out, nil
		case errors.Is(err, ErrTruncated):
			return out, fmt.Errorf("%v: %w", m, err)
		default:
			return nil, fmt.Errorf("%v: %w", m, err)
		}
	}
}

// NewReader returns a reader of the decompressed contents of r. It reads ahead. An error of r that is not io.EOF comes
// back as it is; errors.Is finds the others of this package.
func NewReader(m Method, r io.Reader, limits Limits) (io.Reader, error) {
	d, err := newDecoder(m, r)
	if err != nil {
		return nil, err
	}
	return &limiter{r: d, in: d.consumed, max: limits.maxOutput()}, nil
}

// A decoder decodes compressed streams one after the other. Its errors are io.EOF, those of the input, and those of
// this package.
type decoder struct {
	in    source
	br    *bufio.Reader // over in; codecs read from it byte by byte, so they take no more than is theirs
	codec codec
	cur   io.Reader // the current stream; nil between two
	parts int       // streams begun
	empty int       // reads in a row that gave nothing
}

func newDecoder(m Method, r io.Reader) (*decoder, error) {
	c, err := newCodec(m)
	if err != nil {
		return nil, err
	}
	d := &decoder{in: source{r: r}, codec: c}
	d.br = bufio.NewReader(&d.in)
	return d, nil
}

// consumed returns how many bytes of the input the codecs have taken.
func (d *decoder) consumed() int64 { return d.in.n - int64(d.br.Buffered()) }

// maxEmpty is how many reads in a row may give nothing before the decoder counts as stuck.
const maxEmpty = 100

func (d *decoder) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	if d.cur == nil {
		if err := d.next(); err != nil {
			return 0, err
		}
	}
	n, err = d.cur.Read(p)
	if n > 0 {
		d.empty = 0
	} else if d.empty++; d.empty > maxEmpty && err == nil {
		return 0, ErrCorrupt
	}
	if err == io.EOF {
		d.cur, err = nil, nil // there may be more
	}
	return n, d.explain(err)
}

// next begins the next stream. It returns io.EOF if the input ended well.
func (d *decoder) next() (err error) {
	if _, err := d.br.Peek(1); err == io.EOF && (d.parts > 0 || d.codec.maxParts == 0) {
		return io.EOF
	} else if err != nil {
		return d.explain(unexpected(err))
	}
	if d.codec.maxParts > 0 && d.parts >= d.codec.maxParts {
		return fmt.Errorf("more than %d streams: %w", d.parts, ErrTooLarge)
	}
	d.parts++
	d.cur, err = d.codec.open(d.br)
	return d.explain(unexpected(err))
}

// unexpected turns the end of the input into an error.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// explain says in this package's terms what a codec's error means.
func (d *decoder) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case d.in.err != nil:
		return d.in.err // not the codec's fault
	case errors.Is(err, io.ErrUnexpectedEOF):
		return ErrTruncated
	case needsMemory(err):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", ErrCorrupt, err)
}

// A source counts what is read from r and remembers why that failed.
type source struct {
	r   io.Reader
	n   int64
	err error // not io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
