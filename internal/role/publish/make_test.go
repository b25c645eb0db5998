package publish

import (
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// C tor: get_my_declared_family.
func TestFamily(t *testing.T) {
	self := [20]byte{0xab}
	me := "$AB" + strings.Repeat("00", 19)
	other := strings.Repeat("0c", 20)
	for _, tt := range []struct {
		name string
		in   []string
		want []string
	}{
		{"none", nil, nil},
		{"oneself", []string{"Me", me, strings.ToLower(me[1:])}, nil},
		{"others", []string{"$" + other + "~nick", "Zed", "alice", other, "zed"}, []string{"$" + strings.ToUpper(other), me, "alice", "zed"}},
	} {
		i := Info{Nickname: "me", Family: tt.in}
		if got := i.family(self); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// C tor: router_should_be_dirserver.
func TestDirCache(t *testing.T) {
	for _, tt := range []struct {
		name string
		info Info
		want bool
		why  string
	}{
		{"yes", Info{DirCache: true, Rate: 1 << 20}, true, ""},
		{"no", Info{Rate: 1 << 20}, false, ""},
		{"slow", Info{DirCache: true, Rate: 51199}, false, "BandwidthRate under 50KB"},
		{"advertised as slow", Info{DirCache: true, Rate: 1 << 20, MaxAdvertised: 51199}, false, "BandwidthRate under 50KB"},
		{"accounting", Info{DirCache: true, Rate: 1 << 20, AccountingRate: 1 << 20}, false, "AccountingMax enabled"},
		{"enough for all", Info{DirCache: true, Rate: 1<<20 - 1, AccountingRate: 1 << 20}, true, ""},
	} {
		if got, why := tt.info.dirCache(); got != tt.want || why != tt.why {
			t.Errorf("%s: %v, %q", tt.name, got, why)
		}
	}
	run(t, func(i *Info) { i.Rate = 20_000 }, func(b *bed) {
		if d := b.want(1, 1); d.DirCache || d.Bandwidth.Rate != 20_000 {
			t.Errorf("%+v", d)
		}
		fast := b.p.cfg.Info
		fast.Rate, fast.MaxAdvertised = 1<<40, 1<<39
		for range 2 {
			b.p.SetInfo(fast)
			time.Sleep(2 * time.Minute)
		}
		if d := b.want(2, 2); !d.DirCache || d.Bandwidth.Rate != 1<<31-1 {
			t.Errorf("%+v", d)
		}
		b.wantLogged(1, "Not advertising Directory Service support (Reason: BandwidthRate under 50KB)")
		b.wantLogged(1, "Advertising directory service support")
	})
}

// What authorities would refuse for its size is not made.
func TestTooLarge(t *testing.T) {
	run(t, func(i *Info) {
		for n := range 1000 {
			i.Family = append(i.Family, hex.EncodeToString([]byte{byte(n >> 8), byte(n), 19: 0}))
		}
	}, func(b *bed) {
		time.Sleep(time.Hour)
		b.want(0, 0)
		b.wantLogged(1, "Cannot make this relay's descriptor: ")
		if _, err := b.p.build(b.p.facts(), "", time.Now()); !errors.Is(err, errTooLarge) {
			t.Error(err)
		}
		small := b.p.cfg.Info
		small.Family = small.Family[:100]
		b.p.SetInfo(small)
		time.Sleep(2 * time.Minute)
		if d := b.want(1, 1); len(d.Family) != 101 {
			t.Errorf("%d members", len(d.Family))
		}
	})
}

// The exit policy is asked with the addresses that the relay has, published or not.
func TestPolicy(t *testing.T) {
	run(t, func(i *Info) { i.Addrs = append(i.Addrs, addr6); i.Port6 = 9001 }, func(b *bed) {
		d := b.want(1, 1)
		if d.OR6.IsValid() || d.Policy.Judge(addr4, 80) != exitpolicy.Rejected || d.Policy.Judge(addr("9.9.9.9"), 80) != exitpolicy.Accepted || !d.Policy6.RejectsAll() {
			t.Errorf("policy %v, %v", d.Policy, d.Policy6)
		}
	})
	for name, policy := range map[string]exitpolicy.Policy{"none": nil, "reject all": exitpolicy.Own(exitpolicy.Config{RejectPrivate: true})} {
		p := New(Config{Keys: func() *relaykeys.Snapshot { return keysFirst }})
		p.info = Info{Nickname: "me", Rate: 1 << 20, Burst: 1 << 20, Platform: "Tor", Protocols: "Link=5"}
		if policy != nil {
			p.cfg.Policy = nil
		}
		p.cfg = p.cfg.withDefaults()
		f := facts{or: auth[0].Dir[0]}
		docs, err := p.build(f, "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if text := string(docs.Descriptor); !strings.Contains(text, "\nreject *:*\n") || strings.Contains(text, "ipv6-policy") {
			t.Errorf("%s: %s", name, text)
		}
		if d, err := routerdesc.Parse(docs.Descriptor); err != nil || d.Digest != docs.Digest || len(d.Family) > 0 {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}
