package hsdir

import (
	"bytes"
	"context"
	"crypto/ed25519"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// ctor is a descriptor that C tor 0.4.9.11 made, and ctorAt a time at which it is valid.
//
//go:embed testdata/ctor.txt
var ctor string

var ctorAt = time.Date(2026, 11, 26, 21, 24, 52, 0, time.UTC)

const ctorKey = "IjvUiZLWRokRJ9h2R43sg0sYXsV+hQg4zQFgiEy5xVw"

// circuit is where requests come from that are answered.
var circuit = dircache.From{Addr: netip.MustParseAddr("192.0.2.1"), Stream: true, Anonymous: true}

// A bed is a directory, and what it told others.
type bed struct {
	*Dir
	now    time.Time
	stored [][32]byte
	log    strings.Builder
}

func newBed(maxBytes int64) *bed {
	b := &bed{now: ctorAt}
	b.Dir = New(Config{
		Env:      env.Env{Now: func() time.Time { return b.now }, Log: slog.New(slog.NewTextHandler(&b.log, nil))},
		MaxBytes: maxBytes, Stored: func(key *[32]byte) { b.stored = append(b.stored, *key) },
	})
	return b
}

// service makes the descriptor of service number n, of about size bytes.
func service(tb testing.TB, n uint32, revision uint64, lifetime time.Duration, size int) (key [32]byte, text []byte) {
	tb.Helper()
	seed := make([]byte, 32)
	binary.BigEndian.PutUint32(seed, n)
	blinded := ed25519.NewKeyFromSeed(seed)
	seed[31] = 1
	signing := ed25519.NewKeyFromSeed(seed)
	key = [32]byte(blinded.Public().(ed25519.PublicKey))
	cert := &torcert.Cert{
		Type: torcert.TypeHSSigning, Expires: ctorAt.AddDate(30, 0, 0), KeyType: torcert.KeyEd25519,
		Key: [32]byte(signing.Public().(ed25519.PublicKey)), SignedWith: &key,
	}
	cert, err := cert.Sign(blinded)
	if err != nil {
		tb.Fatal(err)
	}
	o := hsdesc.Outer{Lifetime: lifetime, Cert: cert, Revision: revision, Superencrypted: make([]byte, max(100, size*3/4-600))}
	text, err = o.AppendSigned(nil, signing)
	if err != nil {
		tb.Fatal(err)
	}
	return key, text
}

// ask sends a request through a server of package dircache and returns its answer.
func ask(t *testing.T, d *Dir, from dircache.From, request string) string {
	t.Helper()
	e := d.cfg.Env
	s := dircache.NewServer(dircache.Config{Env: e, Hook: d.Hook, MaxUpload: d.MaxUpload}, dircache.NewCache(dircache.CacheConfig{Env: e}))
	here, there := net.Pipe()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer here.Close()
	wg.Go(func() { s.Serve(context.Background(), there, from) })
	wg.Go(func() { io.WriteString(here, request) })
	answer, err := io.ReadAll(here)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func get(key string) string {
	return "GET /tor/hs/3/" + key + " HTTP/1.0\r\nAccept-Encoding: x-zstd\r\n\r\n"
}

func post(path, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

// The answers are those of C tor, word for word.
// https://spec.torproject.org/rend-spec/deriving-keys.html
func TestRequests(t *testing.T) {
	const date = "\r\nDate: Thu, 26 Nov 2026 21:24:52 GMT\r\n"
	short := func(line string) string { return "HTTP/1.0 " + line + date + "\r\n" }
	stored, refused := short("200 HS descriptor stored successfully."), short("400 Invalid HS descriptor. Rejected.")
	missing := short("404 Not found")
	served := "HTTP/1.0 200 OK" + date + "Content-Type: text/plain\r\nContent-Encoding: identity\r\nContent-Length: " +
		fmt.Sprint(len(ctor)) + "\r\nPragma: no-cache\r\n\r\n" + ctor
	oneHop, dirPort := dircache.From{Stream: true}, dircache.From{}
	b := newBed(0)
	for _, tt := range []struct {
		name    string
		from    dircache.From
		request string
		want    string
	}{
		{"nothing there", circuit, get(ctorKey), missing},
		{"upload over one hop", oneHop, post("/tor/hs/3/publish", ctor), short("503 Rejecting single hop HS descriptor post")},
		{"upload in the clear", dirPort, post("/tor/hs/3/publish", ctor), short("503 Rejecting single hop HS descriptor post")},
		{"other version", circuit, post("/tor/hs/2/publish", ctor), refused},
		{"no version", circuit, post("/tor/hs/publish", ctor), refused},
		{"other command", circuit, post("/tor/hs/3/revoke", ctor), refused},
		{"garbage", circuit, post("/tor/hs/3/publish", "hello\n"), refused},
		{"empty", circuit, post("/tor/hs/3/publish", ""), refused},
		{"changed", circuit, post("/tor/hs/3/publish", strings.Replace(ctor, "lifetime 180", "lifetime 181", 1)), refused},
		{"two at once", circuit, post("/tor/hs/3/publish", ctor+ctor), refused},
		{"still nothing there", circuit, get(ctorKey), missing},
		{"upload", circuit, post("/tor/hs/3/publish", ctor), stored},
		{"the same again", circuit, post("/tor/hs/3/publish", ctor), refused},
		{"without the beginning of the path", circuit, post("/hs/3/publish", ctor), refused},
		{"get", circuit, get(ctorKey), served},
		{"with padding", circuit, get(ctorKey + "="), served},
		{"over one hop", oneHop, get(ctorKey), short("503 Rejecting single hop HS v3 descriptor request")},
		{"in the clear", dirPort, get(ctorKey), short("503 Rejecting single hop HS v3 descriptor request")},
		{"other key", circuit, get("A" + ctorKey[1:]), missing},
		{"no key", circuit, get(""), missing},
		{"short key", circuit, get(ctorKey[1:]), missing},
		{"long key", circuit, get(ctorKey + "A"), missing},
		{"no base64", circuit, get("!" + ctorKey[1:]), missing},
		{"other version of it", circuit, "GET /tor/hs/2/" + ctorKey + " HTTP/1.0\r\n\r\n", missing},
		{"other upload", circuit, post("/tor/", "router"), short("400 Nonauthoritative directory does not accept posted server descriptors")},
		{"too large", circuit, post("/tor/hs/3/publish", strings.Repeat("x", 50000)), short("400 Upload is too large")},
		{"as large as can be", circuit, post("/tor/hs/3/publish", strings.Repeat("x", 49999)), refused},
	} {
		if got := ask(t, b.Dir, tt.from, tt.request); got != tt.want {
			t.Errorf("%s: got %.300q\nwant %.300q", tt.name, got, tt.want)
		}
	}
	var key [32]byte
	base64.RawStdEncoding.Decode(key[:], []byte(ctorKey))
	if len(b.stored) != 1 || b.stored[0] != key || b.descs[key].downloads != 2 {
		t.Errorf("told of %x; %d downloads", b.stored, b.descs[key].downloads)
	}
	if h := b.Hook(t.Context(), &dircache.Request{From: circuit, Method: "GET", Path: "/tor/other"}); h != nil {
		t.Errorf("other path: %+v", h)
	}
}

// https://spec.torproject.org/rend-spec/hsdesc-outer.html
func TestRevisions(t *testing.T) {
	b := newBed(0)
	var key [32]byte
	var text []byte
	for _, tt := range []struct {
		revision uint64
		want     error
	}{{5, nil}, {5, errNotNewer}, {4, errNotNewer}, {6, nil}, {1<<64 - 1, nil}, {0, errNotNewer}} {
		var next []byte
		key, next = service(t, 1, tt.revision, hsdesc.DefaultLifetime, 0)
		err := b.store(next)
		if !errors.Is(err, tt.want) {
			t.Errorf("revision %d: got error %v, want %v", tt.revision, err, tt.want)
		}
		if err == nil {
			text = next
		}
		if got, _ := b.lookup(&key); !bytes.Equal(got, text) {
			t.Errorf("after revision %d: got %q", tt.revision, got)
		}
	}
	if n := b.descs[key].downloads; n != 6 || len(b.stored) != 3 {
		t.Errorf("%d downloads are counted; told of %d", n, len(b.stored))
	}
	b.checkMemory(t)
	text[20] ^= 1
	if got, _ := b.lookup(&key); bytes.Equal(got, text) {
		t.Error("what is kept aliases what was uploaded")
	}
}

// checkMemory compares the account with what there is.
func (b *bed) checkMemory(t *testing.T) {
	t.Helper()
	var sum int64
	for _, e := range b.descs {
		sum += e.memory()
	}
	if sum != b.Memory() {
		t.Errorf("there are %d bytes, Memory says %d", sum, b.Memory())
	}
}

// https://spec.torproject.org/rend-spec/hsdesc-outer.html
func TestLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(0)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() { b.Run(ctx) })
		var keys [3][32]byte
		for i, lifetime := range []time.Duration{hsdesc.MinLifetime, hsdesc.DefaultLifetime, hsdesc.MaxLifetime} {
			var text []byte
			keys[i], text = service(t, uint32(i), 7, lifetime, 0)
			if err := b.store(text); err != nil {
				t.Fatal(err)
			}
		}
		_, before := service(t, 0, 6, hsdesc.MinLifetime, 0)
		for _, tt := range []struct {
			wait        time.Duration
			there, kept int
		}{
			{29*time.Minute + 59*time.Second, 3, 3},
			{2 * time.Second, 2, 2}, // Run has cleaned
			{2*time.Hour + 29*time.Minute + 50*time.Second, 2, 2},
			{10 * time.Second, 1, 1},
			{9 * time.Hour, 0, 0},
		} {
			time.Sleep(tt.wait)
			synctest.Wait()
			there := 0
			for i := range keys {
				if _, ok := b.lookup(&keys[i]); ok {
					there++
				}
			}
			if there != tt.there || len(b.descs) != tt.kept {
				t.Errorf("after %v more: %d served of %d kept", tt.wait, there, len(b.descs))
			}
			b.checkMemory(t)
		}
		if err := b.store(before); err != nil {
			t.Errorf("an earlier revision, after all is forgotten: %v", err)
		}
		time.Sleep(hsdesc.MinLifetime) // between two cleanings
		if _, ok := b.lookup(&keys[0]); ok {
			t.Error("served after its lifetime")
		}
	})
}

func TestShrink(t *testing.T) {
	b := newBed(0)
	var keys [][32]byte
	var each int64
	for i := range 10 {
		key, text := service(t, uint32(i), 1, hsdesc.DefaultLifetime, 2000)
		if err := b.store(text); err != nil {
			t.Fatal(err)
		}
		for range i / 2 * 7 { // 0, 0, 7, 7, 14, …
			b.lookup(&key)
		}
		keys, each = append(keys, key), b.descs[key].memory()
	}
	for _, tt := range []struct {
		n    int64
		gone []int // how many of each pair
	}{
		{0, []int{0, 0, 0, 0, 0}},
		{1, []int{1, 0, 0, 0, 0}},
		{each + 1, []int{2, 1, 0, 0, 0}},
		{4 * each, []int{2, 2, 2, 1, 0}},
		{1 << 40, []int{2, 2, 2, 2, 2}},
		{1, []int{2, 2, 2, 2, 2}},
	} {
		before := b.Memory()
		freed := b.Shrink(tt.n)
		gone := make([]int, 5)
		for i, key := range keys {
			if b.descs[key] == nil {
				gone[i/2]++
			}
		}
		if freed != before-b.Memory() || freed < min(tt.n, before) || fmt.Sprint(gone) != fmt.Sprint(tt.gone) {
			t.Errorf("%d bytes: freed %d of %d, gone are %d, want %d", tt.n, freed, before, gone, tt.gone)
		}
		b.checkMemory(t)
	}
}

// A flood of uploads leaves what clients use, and the last upload is always there.
func TestFlood(t *testing.T) {
	const most = 200 << 10
	b := newBed(most)
	used, text := service(t, 0, 1, hsdesc.DefaultLifetime, 10000)
	if err := b.store(text); err != nil {
		t.Fatal(err)
	}
	b.lookup(&used)
	for i := range uint32(200) {
		key, text := service(t, 1+i, 1, hsdesc.DefaultLifetime, 10000)
		if err := b.store(text); err != nil {
			t.Fatal(err)
		}
		if b.descs[key] == nil || b.Memory() > most+16<<10 {
			t.Fatalf("upload %d: %d bytes", i, b.Memory())
		}
	}
	if b.descs[used] == nil {
		t.Error("the one in use is gone")
	}
	b.checkMemory(t)
	if n := strings.Count(b.log.String(), "MaxHSDirCacheBytes"); n != 1 {
		t.Errorf("told the operator %d times", n)
	}
}

// With room for more than a thousand descriptors, about as many are freed at once and no more.
func TestPruneLeavesRoom(t *testing.T) {
	const most = 3 * spare
	b := newBed(most)
	text := make([]byte, 50000)
	for i := uint32(0); b.Memory() <= most; i++ {
		b.prune()
		b.put(fakeKey(i), &descriptor{text: text})
	}
	b.prune()
	if n := b.Memory(); n > most-spare || n < most-spare-int64(2*len(text)) {
		t.Errorf("%d of %d bytes are left", n, most)
	}
}

func fakeKey(i uint32) *[32]byte {
	var key [32]byte
	binary.BigEndian.PutUint32(key[:], i)
	return &key
}

func TestLimits(t *testing.T) {
	d := New(Config{})
	if d.MaxBytes() != defaultMaxBytes {
		t.Errorf("by default %d bytes", d.MaxBytes())
	}
	d.SetMaxBytes(5)
	if d.MaxBytes() != 5 {
		t.Errorf("got %d bytes, want 5", d.MaxBytes())
	}
	for _, tt := range []struct {
		list params.List
		want int
	}{
		{nil, 49999},
		{params.List{{Name: "HSV3MaxDescriptorSize", Value: 20000}}, 19999},
		{params.List{{Name: "HSV3MaxDescriptorSize", Value: 0}}, 0},
		{params.List{{Name: "HSV3MaxDescriptorSize", Value: 1<<31 - 1}}, maxText - 1},
	} {
		d.SetParams(tt.list)
		if got := d.MaxUpload("/tor/hs/3/publish", dircache.From{}); got != tt.want {
			t.Errorf("%v: got %d, want %d", tt.list, got, tt.want)
		}
	}
	b := newBed(0)
	b.SetParams(params.List{{Name: "HSV3MaxDescriptorSize", Value: int32(len(ctor))}})
	if err := b.store([]byte(ctor)); !errors.Is(err, hsdesc.ErrTooLong) {
		t.Errorf("a descriptor as long as the limit: %v", err)
	}
}

func TestConcurrent(t *testing.T) {
	b := newBed(100 << 10)
	b.cfg.Stored = nil
	var texts [20][]byte
	var keys [20][32]byte
	for i := range texts {
		keys[i], texts[i] = service(t, uint32(i%10), uint64(i), hsdesc.DefaultLifetime, 20000)
	}
	var wg sync.WaitGroup
	for i := range texts {
		wg.Go(func() {
			b.Hook(t.Context(), &dircache.Request{From: circuit, Method: "POST", Path: publish, Body: texts[i]})
			b.lookup(&keys[i])
			b.Shrink(1)
			b.SetMaxBytes(int64(50<<10 + i))
			b.SetParams(nil)
			b.clean(time.Now())
		})
	}
	wg.Wait()
	b.checkMemory(t)
}

func BenchmarkStore(b *testing.B) {
	d := newBed(0)
	d.cfg.Stored = nil
	var key [32]byte
	base64.RawStdEncoding.Decode(key[:], []byte(ctorKey))
	b.SetBytes(int64(len(ctor)))
	b.ReportAllocs()
	for b.Loop() {
		delete(d.descs, key)
		if err := d.store([]byte(ctor)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkShrink(b *testing.B) {
	d := New(Config{})
	text := make([]byte, 1)
	for i := range uint32(200_000) {
		d.put(fakeKey(i), &descriptor{text: text, downloads: uint64(i % 1000)})
	}
	for b.Loop() {
		d.Shrink(1)
	}
}
