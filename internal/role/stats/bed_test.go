package stats

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

const spec = "https://spec.torproject.org/dir-spec/extra-info-document-format.html"

var began = time.Date(2026, 8, 20, 3, 4, 5, 0, time.UTC)

// bed is a relay with all statistics. Its time is what a test says.
type bed struct {
	*testing.T
	*Stats
	cfg   Config
	store statefile.Mem
	log   bytes.Buffer
}

func newBed(t *testing.T, change func(*Config)) *bed {
	b := &bed{T: t}
	b.cfg = Config{
		State: &b.store, Log: slog.New(slog.NewTextHandler(&b.log, nil)), Countries: countries{},
		Cells: true, Links: true, Entry: true, ExitPorts: true, Rate: 1000, Burst: 2000,
	}
	if change != nil {
		change(&b.cfg)
	}
	b.restart(began)
	return b
}

// restart begins anew with what is on the disk.
func (b *bed) restart(now time.Time) {
	doc := new(statedoc.Document)
	if b.Stats != nil {
		b.Save(doc, now)
	}
	b.Stats = New(b.cfg, doc, now)
	b.hidServ2.random, b.hidServ3.random = half, half
}

// half makes no noise.
func half() float64 { return 0.5 }

// text is the middle of the extra-info document.
func (b *bed) text(now time.Time) string { return string(bytes.Join(b.ExtraInfo(now), nil)) }

func (b *bed) want(now time.Time, lines ...string) {
	b.Helper()
	text := b.text(now)
	for _, l := range lines {
		if !strings.Contains("\n"+text, "\n"+l+"\n") {
			b.Errorf("no line %q in\n%s(%s)", l, text, spec)
		}
	}
}

func (b *bed) wantNo(now time.Time, keywords ...string) {
	b.Helper()
	text := b.text(now)
	for _, k := range keywords {
		if strings.Contains("\n"+text, "\n"+k) {
			b.Errorf("there is %q in\n%s", k, text)
		}
	}
}

// countries is a GeoIP file in which the first byte of an IPv4 address is the country.
type countries struct{}

func (countries) Country(a netip.Addr) string {
	if !a.Is4() || a.As4()[0] < 'a' {
		return "??"
	}
	return string([]byte{a.As4()[0], a.As4()[0]})
}

func (countries) Digest(ipv6 bool) (sha1 [20]byte, ok bool) { return [20]byte{0xAB}, !ipv6 }

func addr(country byte, n int) netip.Addr {
	return netip.AddrFrom4([4]byte{country, 0, byte(n >> 8), byte(n)})
}
