package interop_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"
)

const loopback = "127.0.0.1"

// A web is the destination of the tests: a web server on loopback.
//
//	GET /body?seed=S&size=N   N random bytes out of a seed
//	PUT /sum                  the length and the SHA-256 of what is sent
//	PUT /endless              bytes until the other end goes away, which sends some now and then
//	GET /meet?seed=S&size=N   the same as /body, once meeting requests are there at the same time
type web struct {
	port uint16
	v6   bool // it listens on ::1 too

	mu   sync.Mutex // guards the fields below
	here int
	all  chan struct{} // closed when all are here
}

// meeting is how many requests for /meet wait for each other.
const meeting = 200

func newWeb(t *testing.T) *web {
	t.Helper()
	l, err := net.Listen("tcp4", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	w := &web{port: l.Addr().(*net.TCPAddr).AddrPort().Port(), all: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /body", serveBody)
	mux.HandleFunc("PUT /sum", serveSum)
	mux.HandleFunc("PUT /endless", serveEndless)
	mux.HandleFunc("GET /meet", w.serveMeeting)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	listeners := []net.Listener{l}
	if l6, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(int(w.port)))); err == nil {
		listeners, w.v6 = append(listeners, l6), true
	}
	var done sync.WaitGroup
	for _, l := range listeners {
		done.Go(func() { server.Serve(l) })
	}
	t.Cleanup(func() {
		server.Close()
		done.Wait()
	})
	return w
}

// url is that of a path of the server, under a name or address of it.
func (w *web) url(host, path string) string { return "http://" + w.target(host) + path }

// target is host:port of the server.
func (w *web) target(host string) string { return net.JoinHostPort(host, strconv.Itoa(int(w.port))) }

// body is what there is under /body. It comes out of a seed, so a body of any size takes no memory.
func body(seed string, size int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8(sha256.Sum256([]byte(seed))), size)
}

func serveBody(w http.ResponseWriter, r *http.Request) {
	size, err := strconv.ParseInt(r.FormValue("size"), 10, 64)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Length", r.FormValue("size"))
	io.Copy(w, body(r.FormValue("seed"), size)) // a client that goes away is its own affair
}

func serveSum(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fmt.Fprintf(w, "%d %x", n, h.Sum(nil))
}

func serveEndless(w http.ResponseWriter, r *http.Request) {
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
		panic(err)
	}
	go io.Copy(io.Discard, r.Body) // ends with the handler
	io.Copy(w, rand.NewChaCha8([32]byte{}))
}

func (w *web) serveMeeting(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	if w.here++; w.here == meeting {
		close(w.all)
	}
	w.mu.Unlock()
	select {
	case <-w.all:
		serveBody(rw, r)
	case <-r.Context().Done():
	}
}
