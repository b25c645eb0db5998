package resolver

import (
	"errors"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
)

func ports(addrs ...string) (aps []netip.AddrPort) {
	for _, a := range addrs {
		aps = append(aps, netip.MustParseAddrPort(a))
	}
	return aps
}

// https://man7.org/linux/man-pages/man5/resolv.conf.5.html
func TestParseResolvConf(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       resolvConf
	}{
		{"empty", "", resolvConf{ndots: 1}},
		{"comments", "# nameserver 192.0.2.1\n; nameserver 192.0.2.2\n#", resolvConf{ndots: 1}},
		{"usual", "domain example.org\nnameserver 192.0.2.1\nnameserver\t192.0.2.2 # second\n  nameserver 2001:db8::1", resolvConf{
			ndots: 1, search: []string{"example.org"}, servers: ports("192.0.2.1:53", "192.0.2.2:53", "[2001:db8::1]:53")}},
		{"ports and zones", "nameserver 192.0.2.1:5353\nnameserver [2001:db8::1]:54\nnameserver fe80::1%eth0\n", resolvConf{
			ndots: 1, servers: ports("192.0.2.1:5353", "[2001:db8::1]:54", "[fe80::1%eth0]:53")}},
		{"twice", "nameserver 192.0.2.1\nnameserver 192.0.2.1\nnameserver ::ffff:192.0.2.1", resolvConf{ndots: 1, servers: ports("192.0.2.1:53")}},
		{"nonsense", "nameserver\nnameserver name.example\nnameserver 192.0.2.1:0\nnameserver 300.1.1.1\nsortlist 1.2.3.4\nwhat is this\nsearch", resolvConf{ndots: 1}},
		{"search", "search a.example B.example. .c.example bad..example ex/ample\n", resolvConf{ndots: 1, search: []string{"a.example", "b.example", "c.example"}}},
		{"the last counts", "search a.example b.example\ndomain c.example d.example\n", resolvConf{ndots: 1, search: []string{"c.example"}}},
		{"options", "options ndots:2 timeout:3 attempts:4 rotate edns0 ndots:x timeout\n", resolvConf{ndots: 2, timeout: 3 * time.Second, attempts: 4}},
		{"options out of range", "options ndots:99 timeout:999 attempts:99\n", resolvConf{ndots: 15, timeout: 30 * time.Second, attempts: 5}},
		{"options of nothing", "options ndots:0 timeout:0 attempts:0 timeout:-1\n", resolvConf{timeout: time.Second, attempts: 1}},
		{"CRLF", "nameserver 192.0.2.1\r\noptions ndots:3\r\n", resolvConf{ndots: 3, servers: ports("192.0.2.1:53")}},
	} {
		if got := parseResolvConf([]byte(tt.text)); !reflect.DeepEqual(*got, tt.want) {
			t.Errorf("%s: got %+v\nwant %+v", tt.name, *got, tt.want)
		}
	}
}

func FuzzResolvConf(f *testing.F) {
	f.Add([]byte("domain example.org\nsearch a b.\nnameserver 192.0.2.1\nnameserver [2001:db8::1]:54\noptions ndots:2 timeout:3 attempts:4\n#x"))
	f.Add([]byte(strings.Repeat("nameserver 192.0.2.1:7\r\n", 100)))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := parseResolvConf(data)
		if len(c.servers) > maxServers || len(c.search) > maxSearch || c.ndots < 0 || c.ndots > maxNdots ||
			c.timeout < 0 || c.timeout > maxTimeout || c.attempts < 0 || c.attempts > maxAttempts {
			t.Errorf("out of bounds: %+v", c)
		}
		for _, s := range c.servers {
			if !s.IsValid() || s.Port() == 0 {
				t.Errorf("server %v", s)
			}
		}
		for _, d := range c.search {
			if _, err := splitName(d, false); err != nil || d != asciiLower(d) {
				t.Errorf("search domain %q", d)
			}
		}
	})
}

// FuzzHost: whatever a client asks for is refused, or makes a question that can be put on the wire.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"www.example", "WWW.Example.", "192.0.2.1", "[2001:db8::1]", "a\\b\"c.example", "x.onion", "\xff.example", "fe80::1%x"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, host string, odd bool) {
		r := &Resolver{cfg: Config{AllowNonRFC953Hostnames: odd}}
		labels, _, addr, err := r.parseHost(host)
		if err != nil || addr.IsValid() {
			return
		}
		q, err := questionFor(labels, 1)
		if err != nil {
			t.Fatalf("%q: %v", host, err)
		}
		query, err := newQuery(q, true)
		if err != nil {
			t.Fatalf("%q: %v", host, err)
		}
		want := 1
		for _, l := range labels {
			want += 1 + len(l)
		}
		if got := len(query.wire) - headerLen - 4; got != want {
			t.Errorf("%q: the name has %d bytes on the wire, want %d", host, got, want)
		}
	})
}

func TestReload(t *testing.T) {
	inBed(t, 3, always(good), func(c *Config) { c.NoHijackTest = true }, func(t *testing.T, b *bed) {
		all := b.conf
		b.setConf("nameserver 198.51.100.1\n")
		b.wantAddrs("a.example", Want{V4: true}, good)
		b.setConf("nameserver 198.51.100.2\nnameserver 198.51.100.3\n")
		b.wantAddrs("b.example", Want{V4: true}, good)
		if n := b.servers[0].questions(); n != 2 {
			t.Errorf("%d questions before Reload, want 2", n)
		}
		if err := b.r.Reload(); err != nil {
			t.Fatal(err)
		}
		set := b.r.current()
		b.wantAddrs("c.example", Want{V4: true}, good)
		b.wantAddrs("d.example", Want{V4: true}, good)
		if b.servers[0].questions() != 2 || b.servers[1].questions() != 1 || b.servers[2].questions() != 1 {
			t.Error("the new servers do not take turns")
		}
		b.wantAddrs("a.example", Want{V4: true}, good) // still cached
		b.setConf(b.conf + "# nothing new\n")
		if err := b.r.Reload(); err != nil || b.r.current() != set {
			t.Errorf("Reload of the same: %v, or what was known is gone", err)
		}

		// Without a file, there may be a server on this machine.
		b.setConf("")
		if err := b.r.Reload(); err != nil {
			t.Errorf("Reload without a file: %v", err)
		}
		if got := b.r.current().conf.servers; !slices.Equal(got, ports("127.0.0.1:53")) {
			t.Errorf("servers %v", got)
		}
		b.wantErr("e.example", Want{V4: true}, ErrServer, false) // nobody listens
		stop := b.run()
		defer stop()
		b.setConf(all)
		time.Sleep(houseInterval + time.Second)
		b.wantAddrs("f.example", Want{V4: true}, good)
		if got, want := b.kinds(), []EventKind{ConfigFailed, ConfigRestored}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

func TestRefuseBrokenConfig(t *testing.T) {
	for _, conf := range []string{"", "search example.org\n"} {
		inBed(t, 1, always(good), func(c *Config) { c.RefuseBrokenConfig = true }, func(t *testing.T, b *bed) {
			fine := b.conf
			b.setConf(conf)
			if err := b.r.Reload(); err == nil {
				t.Error("Reload does not fail")
			}
			b.wantErr("a.example", Want{V4: true}, ErrNoServers, false)
			if n, _ := b.r.Nameservers(); n != 0 {
				t.Errorf("%d servers", n)
			}
			b.setConf(fine)
			if err := b.r.Reload(); err != nil {
				t.Error(err)
			}
			b.wantAddrs("a.example", Want{V4: true}, good)
			b.setConf(conf)
			if err := b.r.Reload(); err == nil {
				t.Error("Reload does not fail")
			}
			b.wantAddrs("b.example", Want{V4: true}, good) // it goes on with what it has
		})
	}
}

// Run ends with its context, whatever is under way.
func TestRunEnds(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 185 * time.Second, 200 * time.Second, 24 * time.Hour} {
		inBed(t, 2, silent, nil, func(t *testing.T, b *bed) {
			stop := b.run()
			time.Sleep(after)
			stop()
			synctest.Wait()
		})
	}
}

// The file system is read where no other way is given, up to a bound.
func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "resolv.conf")
	r := New(Config{Env: env.Env{Log: slog.New(slog.DiscardHandler)}, ResolvConf: name, RefuseBrokenConfig: true})
	if err := r.Reload(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Reload without a file: %v", err)
	}
	text := "nameserver 192.0.2.1\n" + strings.Repeat("#", maxResolvConf) + "\nnameserver 192.0.2.2\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if n, up := r.Nameservers(); n != 1 || up != 1 {
		t.Errorf("%d servers, %d up; want 1", n, up)
	}
}
