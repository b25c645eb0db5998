package resolver

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Records of other names do not count, wherever they stand.
func TestAnswers(t *testing.T) {
	loop := []string{}
	for i := range maxAliases + 5 {
		loop = append(loop, fmt.Sprintf("%d.example. 60 IN CNAME %d.example.", i, i+1))
	}
	chain := append(loop[:maxAliases-1:maxAliases-1], fmt.Sprintf("%d.example. 60 IN A %s", maxAliases-1, good))
	tooLong := append(loop[:maxAliases:maxAliases], fmt.Sprintf("%d.example. 60 IN A %s", maxAliases, good))
	for _, tt := range []struct {
		name string
		host string
		rrs  []string
		want string // addresses, or nothing for ErrNotFound
		err  error
	}{
		{"plain", "www.example", []string{"www.example. 60 IN A " + good}, good, nil},
		{"other case", "www.example", []string{"WwW.eXample. 60 IN A " + good}, good, nil},
		{"stranger", "www.example", []string{"other.example. 60 IN A 203.0.113.66"}, "", ErrNotFound},
		{"stranger beside", "www.example", []string{"other.example. 60 IN A 203.0.113.66", "www.example. 60 IN A " + good}, good, nil},
		{"other class", "www.example", []string{"www.example. 60 CH A 203.0.113.66"}, "", ErrNotFound},
		{"other type", "www.example", []string{"www.example. 60 IN AAAA 2001:db8::66", "www.example. 60 IN TXT x"}, "", ErrNotFound},
		{"alias in order", "www.example", []string{"www.example. 60 IN CNAME a.example.", "a.example. 60 IN A " + good}, good, nil},
		{"alias in disorder", "www.example", []string{"a.example. 60 IN A " + good, "www.example. 60 IN CNAME a.example."}, good, nil},
		{"alias of nothing", "www.example", []string{"www.example. 60 IN CNAME a.example.", "b.example. 60 IN A 203.0.113.66"}, "", ErrNotFound},
		{"two aliases", "www.example", []string{"www.example. 60 IN CNAME a.example.", "www.example. 60 IN CNAME b.example.", "b.example. 60 IN A 203.0.113.66"}, "", ErrNotFound},
		{"alias of itself", "www.example", []string{"www.example. 60 IN CNAME www.example."}, "", ErrServer},
		{"loop of two", "www.example", []string{"www.example. 60 IN CNAME a.example.", "a.example. 60 IN CNAME www.example."}, "", ErrServer},
		{"long chain", "0.example", chain, good, nil},
		{"too long a chain", "0.example", tooLong, "", ErrServer},
		{"the same twice", "www.example", []string{"www.example. 60 IN A " + good, "www.example. 60 IN A " + good}, good, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := func(x *exchange) { x.reply(x.msg(tt.rrs...)) }
			inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
				if tt.err != nil {
					b.wantErr(tt.host, Want{V4: true}, tt.err, tt.err == ErrNotFound)
				} else {
					b.wantAddrs(tt.host, Want{V4: true}, tt.want)
				}
			})
		})
	}
}

// An answer for a name that does not exist has no addresses, whatever it says besides.
func TestNXDOMAINWithAddresses(t *testing.T) {
	h := func(x *exchange) {
		m := x.msg(x.name + " 60 IN A 203.0.113.66")
		m.Rcode = dns.RcodeNameError
		x.reply(m)
	}
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		b.wantErr("www.example", Want{V4: true}, ErrNotFound, true)
	})
}

// The lifetime of an answer is the lowest of what it consists of.
func TestAnswerTTL(t *testing.T) {
	h := zone("a.example. 30 IN CNAME b.example.", "b.example. 7200 IN A 203.0.113.1", "c.example. 7200 IN CNAME b.example.")
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		if a := b.wantAddrs("a.example", Want{V4: true}, good); a.TTL > minTTL+fuzzTTL {
			t.Errorf("TTL %v, want that of the alias", a.TTL)
		}
		if a := b.wantAddrs("c.example", Want{V4: true}, good); a.TTL < maxTTL-fuzzTTL {
			t.Errorf("TTL %v, want the long one", a.TTL)
		}
	})
}

// FuzzAnswer feeds what a server may send to a query that is known.
func FuzzAnswer(f *testing.F) {
	queries := map[uint16]query{}
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypePTR} {
		q, err := newQuery(question{"www.example.", qtype}, false)
		if err != nil {
			f.Fatal(err)
		}
		q.wire[0], q.wire[1] = 0, 0
		queries[qtype] = q
	}
	x := &exchange{q: new(dns.Msg)}
	for _, rrs := range [][]string{
		{"www.example. 60 IN A 203.0.113.1"},
		{"www.example. 60 IN CNAME a.example.", "a.example. 60 IN A 203.0.113.1", "a.example. 60 IN AAAA 2001:db8::1"},
		{"www.example. 60 IN CNAME www.example."},
		{`www.example. 60 IN PTR host.example.`, `www.example. 60 IN PTR a\000b\.c.example.`},
		{"www.example. 60 IN AAAA ::ffff:127.0.0.1", "www.example. 4294967295 IN AAAA 2001:db8::1"},
		{"www.example. 60 IN TXT hello", "www.example. 60 IN MX 1 a.example."},
	} {
		for qtype := range queries {
			x.q.SetQuestion("www.example.", qtype)
			x.q.Id = 0
			m := x.msg(rrs...)
			soa, _ := dns.NewRR("example. 60 IN SOA a. b. 1 2 3 4 5")
			m.Ns = append(m.Ns, soa)
			wire, err := m.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(qtype, wire)
		}
	}
	f.Add(uint16(1), []byte{0, 0, 0x81, 0x85, 0, 1, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, qtype uint16, msg []byte) {
		q, ok := queries[qtype]
		if !ok {
			return
		}
		start := time.Now()
		if q.echo(msg) != echoFull {
			return
		}
		a, err := q.parse(msg)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%d bytes took %v", len(msg), d)
		}
		if err != nil {
			if len(a.addrs)+len(a.names) > 0 || strings.Contains(err.Error(), "example") {
				t.Errorf("got %+v, %v", a, err)
			}
			if _, ok := errors.AsType[serverError](err); !ok && !errors.Is(err, errTruncated) && !errors.Is(err, errGarbage) && !errors.Is(err, errCNAMELoop) {
				t.Errorf("unexpected error %v", err)
			}
			return
		}
		if len(a.addrs)+len(a.names) > maxRecords || a.ttl>>31 != 0 {
			t.Errorf("got %+v", a)
		}
		for _, addr := range a.addrs {
			if addr.Is4() != (qtype == dns.TypeA) || addr.Is4In6() || addr.Zone() != "" {
				t.Errorf("address %v for type %d", addr, qtype)
			}
		}
		for _, name := range a.names {
			if _, err := splitName(name, false); err != nil || qtype != dns.TypePTR {
				t.Errorf("name %q for type %d", name, qtype)
			}
		}
	})
}
