package stats

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/lib/geoip"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

// TestSwitchWithCTor counts for some days, hands the files over to a relay of C tor, which must publish the same, and takes
// them back.
func TestSwitchWithCTor(t *testing.T) {
	if testing.Short() {
		t.Skip("runs C tor")
	}
	ctor.Require(t, "tor")
	dir := t.TempDir()
	now := time.Now().Truncate(time.Second)
	doc := new(statedoc.Document)
	cfg := Config{State: new(statefile.Mem), Countries: testGeoIP(t, dir), Cells: true, Links: true, Entry: true, ExitPorts: true, NoPadding: true}
	want := middle(countDays(cfg, doc, now.Add(-time.Minute)), now)
	for _, d := range new(Stats).dailies() {
		if d.file == "" {
			continue
		}
		text, err := cfg.State.Read(d.file)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(ctor.DataDir(dir), d.file), text)
	}
	write(t, filepath.Join(ctor.DataDir(dir), "state"), doc.AppendTo(nil))

	got := runRelay(t, dir)
	if got != want {
		t.Errorf("C tor publishes\n%s, we\n%s", got, want)
	}
	text, err := os.ReadFile(filepath.Join(ctor.DataDir(dir), "state"))
	if err != nil {
		t.Fatal(err)
	}
	if got := middle(New(cfg, parseState(t, string(text)), time.Now()), time.Now()); got != want {
		t.Errorf("after C tor, we publish\n%s, before\n%s", got, want)
	}
}

// countDays is busy on the days before now.
func countDays(cfg Config, doc *statedoc.Document, now time.Time) *Stats {
	const unit = interval << 10 // C tor keeps whole bytes of each second when it reads its state, and publishes kilobytes
	s := New(cfg, doc, now.Add(-3*day))
	for d := 3; d > 0; d-- {
		at := now.Add(-time.Duration(d) * day)
		s.AddRead(uint64(d)*20*unit, false, at)
		s.AddWritten(uint64(d)*10*unit, true, at)
		s.AddDir(uint64(d)*unit, uint64(d)*2*unit, at)
		for i := range 40 {
			s.DirRequest(dirEvent(addr('a'+byte(i)%3, i), dircache.Served, time.Second))
			s.Client(addr('a', i))
			s.CircuitClosed(Circuit{Began: at, Cells: uint64(i), Waited: time.Second}, at.Add(time.Minute))
			s.LinkBytes(uint64(i)*1000, 15000, i%2 == 0)
			s.ExitStream(uint16(i))
			s.ExitBytes(uint16(i), uint64(i), uint64(i)<<20)
		}
		s.RendCells(5000)
		s.Tick(at.Add(day / 2))
		s.Tick(at.Add(day))
	}
	s.Save(doc, now)
	return s
}

func middle(s *Stats, now time.Time) string { return string(bytes.Join(s.ExtraInfo(now), nil)) }

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// testGeoIP makes GeoIP files for both programs.
func testGeoIP(t *testing.T, dir string) *geoip.DB {
	t.Helper()
	v4 := fmt.Sprintf("%d,%d,DE\n", 'a'<<24, ('b'<<24)-1)
	v6 := "2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,FR\n"
	write(t, filepath.Join(dir, "geoip"), []byte(v4))
	write(t, filepath.Join(dir, "geoip6"), []byte(v6))
	db, err := geoip.Read(strings.NewReader(v4), strings.NewReader(v6))
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// runRelay runs a relay of C tor until it has sent its documents to an authority, which is us. It returns the statistics.
func runRelay(t *testing.T, dir string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	uploads := make(chan []byte, 1)
	authority := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		select {
		case uploads <- body:
		default:
		}
	})}
	done := make(chan struct{})
	go func() { defer close(done); authority.Serve(l) }()
	defer func() { authority.Close(); <-done }()

	bin, err := ctor.Find("tor")
	if err != nil {
		t.Fatal(err)
	}
	torrc := ctor.Torrc{
		"TestingTorNetwork 1", "ORPort 127.0.0.1:auto", "Address 127.0.0.1", "SocksPort 0", "ExitRelay 0", "Nickname Probe", "ContactInfo nobody",
		"AssumeReachable 1", "CellStatistics 1", "ConnDirectionStatistics 1", "EntryStatistics 1", "ExitPortStatistics 1", "PaddingStatistics 0",
		"DirAuthority fake orport=1 v3ident=0000000000000000000000000000000000000001 " + l.Addr().String() + " 0000000000000000000000000000000000000002",
	}
	torrc.Add("GeoIPFile", filepath.Join(dir, "geoip"))
	torrc.Add("GeoIPv6File", filepath.Join(dir, "geoip6"))
	p, err := ctor.Start(ctor.Config{Name: "tor", Bin: bin, Dir: dir, Torrc: torrc})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Kill()
	select {
	case <-ctx.Done():
		log, _ := p.Log()
		t.Fatalf("no upload\n%s", log)
		return ""
	case body := <-uploads:
		if err := p.Stop(); err != nil {
			t.Fatal(err)
		}
		i := bytes.Index(body, []byte("\nextra-info "))
		if _, err := extrainfo.Parse(body[i+1:]); i < 0 || err != nil {
			t.Fatalf("%v\n%s", err, body)
		}
		_, rest, _ := strings.Cut(string(body[i+1:]), "\npublished ")
		_, rest, _ = strings.Cut(rest, "\n")
		text, _, _ := strings.Cut(rest, "router-sig-ed25519 ")
		return text
	}
}
