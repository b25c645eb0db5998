package dircache

import (
	"bufio"
	"cmp"
	"context"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/safego"
)

// Config configures a Server. Of Env it takes Now and Log.
type Config struct {
	Env env.Env

	FrontPage []byte // HTML that "/" shows, C tor's DirPortFrontPage; nil for none
	Bridge    bool   // gives out no extra-info documents, and refuses uploads

	// Bridges has descriptors for encrypted connections alone, those of a bridge authority. With it, no extra-info documents
	// are given out. It may be nil.
	Bridges Bridges

	// Hook answers what the cache does not know: paths of [dirhttp.Other], and every POST. It may wait until ctx ends. A nil
	// reply is the answer "404 Not found". Hook may be nil.
	Hook func(ctx context.Context, r *Request) *Reply

	// MaxUpload tells how many bytes a POST to a path may have to be given to the hook; 0 refuses it. It may be nil.
	MaxUpload func(path string, from From) int

	// Busy tells whether there is no bandwidth for an answer of so many bytes, which is then "503 Directory busy". It may
	// be nil.
	Busy func(from From, size int64) bool

	// IsLocal tells of a peer that is so near to us that the address we see may not be the one that the world sees. Private
	// addresses are near always. It may be nil.
	IsLocal func(netip.Addr) bool

	// Note is told of every request that was answered. It must not block. It may be nil.
	Note func(Event)

	MaxConns   int   // requests and answers at a time, beyond which a connection is closed at once; 0 means 4096
	MaxPerAddr int   // of these for one address, or network of IPv6, that is not a relay's; 0 means a sixteenth, 256
	MaxAnswers int   // answers at a time, beyond which they are "503 Directory busy"; 0 means 2048
	MaxMemory  int64 // bytes in long request heads, uploads and answers compressed for the request; 0 means 64 MiB
	Encoders   int   // answers that are compressed at a time; 0 means half the processors
}

// Bridges finds descriptors of bridges; nil is what it has not. Its methods are safe for concurrent use.
type Bridges interface {
	ByDigest(digest [20]byte) *Document
	// ByFingerprint finds the newest descriptor of a bridge, which is then served if it is not too old.
	ByFingerprint(rsa [20]byte) *Document
	// Served is told of each that is given out by its fingerprint.
	Served(rsa [20]byte)
}

// From says who asks.
type From struct {
	// Addr is the address that the link of the circuit, or the TCP connection, comes from; it may be invalid.
	Addr netip.Addr
	// Stream says that the request came in a BEGIN_DIR stream, so it was encrypted.
	Stream bool
	// Anonymous says that the link comes from a relay, so Addr is not the client's (connection_dir_is_anonymous in C tor).
	Anonymous bool
}

// A Server answers requests out of a Cache. Its methods are safe for concurrent use.
type Server struct {
	cfg   Config
	cache *Cache

	conns, answers atomic.Int64
	perAddr        perAddr
	memory         budget
	encoders       encoders
	buffers        sync.Pool // of *bufio.Writer, empty
	warnings       warnings
}

// NewServer returns a server.
func NewServer(cfg Config, cache *Cache) *Server {
	cfg.MaxConns = cmp.Or(cfg.MaxConns, 4096)
	cfg.MaxPerAddr = cmp.Or(cfg.MaxPerAddr, max(1, cfg.MaxConns/16))
	cfg.MaxAnswers = cmp.Or(cfg.MaxAnswers, 2048)
	cfg.MaxMemory = cmp.Or(cfg.MaxMemory, 64<<20)
	cfg.Encoders = cmp.Or(cfg.Encoders, max(1, runtime.GOMAXPROCS(0)/2))
	return &Server{
		cfg: cfg, cache: cache,
		perAddr:  perAddr{max: cfg.MaxPerAddr, conns: map[netip.Addr]int{}},
		memory:   budget{max: cfg.MaxMemory},
		encoders: encoders{slots: make(chan struct{}, cfg.Encoders)},
		buffers:  sync.Pool{New: func() any { return bufio.NewWriterSize(nil, bufferLen) }},
	}
}

// Serve reads one request from conn, answers it, and closes conn, as C tor does. It returns when that is done, when the peer
// is too slow, or soon after ctx ends.
func (s *Server) Serve(ctx context.Context, conn net.Conn, from From) {
	defer conn.Close()
	defer s.conns.Add(-1)
	if s.conns.Add(1) > int64(s.cfg.MaxConns) {
		return
	}
	if !from.Anonymous {
		if !s.perAddr.take(from.Addr) {
			return
		}
		defer s.perAddr.give(from.Addr)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	x := &exchange{s: s, conn: conn, from: from, began: time.Now()}
	defer x.release()
	if safego.Run(s.cfg.Env.Log, "directory request", func() { x.run(ctx) }) {
		x.event.Outcome = Failed
	}
	if s.cfg.Note != nil && x.event.Status != 0 {
		x.event.From, x.event.Took = from, time.Since(x.began)
		s.cfg.Note(x.event)
	}
}

// A budget bounds the memory that all connections use together.
type budget struct {
	max  int64
	used atomic.Int64
}

// take reports whether n more bytes may be used.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.max {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }
