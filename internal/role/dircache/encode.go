package dircache

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/compress"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// slotPatience is how long an answer waits for an encoder before it is sent plain.
const slotPatience = 250 * time.Millisecond

// Receivers take it for an attack if more than 5 MiB come out of less than a 25th of that; these bounds keep some distance.
const (
	bombFrom  = 4 << 20
	bombRatio = 20
)

// encode compresses the documents of a reply, if the client takes that and there is capacity. The whole answer is made
// before the first byte is sent: a slow client would otherwise hold an encoder for as long as it likes.
func (x *exchange) encode(r *reply, accept dirhttp.Encodings) {
	r.ready, r.encoding = true, dirhttp.Identity
	encoding := dirhttp.Identity
	for _, e := range onTheFly {
		if accept.Has(e) {
			encoding = e
			break
		}
	}
	size := total(r.docs)
	if encoding == dirhttp.Identity || !x.take(size) {
		return
	}
	out, ok := x.s.encoders.encode(encoding, r.docs, int(size))
	n := int64(len(out))
	if ok && n < size && (size < bombFrom || size <= bombRatio*n) {
		r.encoding, r.docs = encoding, [][]byte{out}
	}
}

// encoders are the compressors for answers that are made on demand. Each has some hundred kilobytes of tables, so they are
// used again. They belong to a server and not to the package, because those of zstd hold channels.
type encoders struct {
	slots chan struct{} // one token for each that works

	mu   sync.Mutex // a leaf; guards idle
	idle [dirhttp.Unknown][]encoder
}

type encoder interface {
	io.WriteCloser
	Reset(io.Writer)
}

// encode is not ok if all encoders are busy.
func (p *encoders) encode(e dirhttp.Encoding, docs [][]byte, size int) (out []byte, ok bool) {
	if !p.acquire() {
		return nil, false
	}
	defer func() { <-p.slots }()
	buf := bytes.NewBuffer(make([]byte, 0, size/2+512))
	w, err := p.get(e, buf)
	if err != nil {
		return nil, false
	}
	for _, d := range docs {
		if _, err := w.Write(d); err != nil {
			return nil, false
		}
	}
	if err := w.Close(); err != nil {
		return nil, false
	}
	p.put(e, w)
	return buf.Bytes(), true
}

func (p *encoders) acquire() bool {
	select {
	case p.slots <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(slotPatience)
	defer timer.Stop()
	select {
	case p.slots <- struct{}{}:
		return true
	case <-timer.C:
		return false
	}
}

func (p *encoders) get(e dirhttp.Encoding, dst io.Writer) (io.WriteCloser, error) {
	if w := p.reuse(e); w != nil {
		w.Reset(dst)
		return w, nil
	}
	m, ok := compress.MethodByName(e.String())
	if !ok {
		return nil, compress.ErrMethod
	}
	return compress.NewWriter(m, dst, compress.Fast)
}

func (p *encoders) reuse(e dirhttp.Encoding) encoder {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle[e])
	if n == 0 {
		return nil
	}
	w := p.idle[e][n-1]
	p.idle[e] = p.idle[e][:n-1]
	return w
}

// put keeps an encoder for the next answer. There are never more of a kind than slots.
func (p *encoders) put(e dirhttp.Encoding, w io.WriteCloser) {
	r, ok := w.(encoder)
	if !ok {
		return
	}
	r.Reset(io.Discard) // lets go of the answer
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle[e] = append(p.idle[e], r)
}
