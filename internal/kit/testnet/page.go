package testnet

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/tropea-net/tropea/internal/kit/nameserver"
)

// pageHost is the name of the page's server, which exits learn from the network's resolver.
const pageHost = "page.test"

// A page is a web server on loopback with one page of random bytes. They come out of a seed, so a page of any size takes
// no memory.
type page struct {
	addr string // host:port
	url  string // for exits that know its name
	size int64
	sum  [sha256.Size]byte

	seed   [32]byte
	server http.Server
	done   chan struct{} // closed when the server has ended
}

// servePage starts a server.
func servePage(size int64) (*page, error) {
	p := &page{size: size, done: make(chan struct{})}
	rand.Read(p.seed[:])
	h := sha256.New()
	if err := p.write(h); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	h.Sum(p.sum[:0])
	l, err := net.Listen("tcp4", loopback+":0")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	p.addr = l.Addr().String()
	p.url = "http://" + net.JoinHostPort(pageHost, port(p.addr)) + "/"
	p.server.Handler = http.HandlerFunc(p.serve)
	p.server.ReadHeaderTimeout = time.Minute
	go func() {
		defer close(p.done)
		p.server.Serve(l)
	}()
	return p, nil
}

// named gives the server its name.
func (p *page) named(dns *nameserver.Server) { dns.Set(pageHost, netip.MustParseAddr(loopback)) }

func (p *page) write(w io.Writer) error {
	_, err := io.CopyN(w, mathrand.NewChaCha8(p.seed), p.size)
	return err
}

func (p *page) serve(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(p.size, 10))
	p.write(w) // a client that goes away is its own affair
}

func (p *page) close() error {
	err := p.server.Close()
	<-p.done
	return err
}
