package resolver

import (
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/netx"
)

// The same over real sockets, with the server of package dns.
func TestOverLoopback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pc, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Skip("the port is taken for UDP")
	}
	answer := func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetReply(q)
		if _, udp := w.RemoteAddr().(*net.UDPAddr); udp && strings.HasPrefix(strings.ToLower(q.Question[0].Name), "big.") {
			m.Truncated = true
		} else if q.Question[0].Qtype == dns.TypeA {
			rr, _ := dns.NewRR(strings.ToLower(q.Question[0].Name) + " 60 IN A 203.0.113.1")
			m.Answer = append(m.Answer, rr)
		}
		w.WriteMsg(m)
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: dns.HandlerFunc(answer)}, {PacketConn: pc, Handler: dns.HandlerFunc(answer)}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go s.ActivateAndServe()
		<-started
		t.Cleanup(func() { s.Shutdown() })
	}
	r := New(Config{
		Env:      env.Env{Net: netx.OS{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)},
		ReadFile: func(string) ([]byte, error) { return fmt.Appendf(nil, "nameserver %s\n", l.Addr()), nil },
	})
	for _, host := range []string{"www.example", "big.example"} {
		a, err := r.Resolve(t.Context(), host, both)
		if err != nil || fmt.Sprint(a.Addrs) != "[203.0.113.1]" {
			t.Errorf("%s: got %v, %v", host, a, err)
		}
	}
}

// What a name costs that is in the cache, and one that is not, apart from the network.
func BenchmarkResolve(b *testing.B) {
	for _, bench := range []struct {
		name  string
		fresh bool
	}{{"cached", false}, {"fresh", true}} {
		b.Run(bench.name, func(b *testing.B) {
			pc, err := net.ListenPacket("udp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer pc.Close()
			go func() {
				buf := make([]byte, 512)
				for {
					n, from, err := pc.ReadFrom(buf)
					if err != nil {
						return
					}
					buf[2], buf[3] = 0x81, 0x83 // NXDOMAIN
					pc.WriteTo(buf[:n], from)
				}
			}()
			r := New(Config{
				Env:      env.Env{Net: netx.OS{}, Now: time.Now, Log: slog.New(slog.DiscardHandler)},
				ReadFile: func(string) ([]byte, error) { return fmt.Appendf(nil, "nameserver %s\n", pc.LocalAddr()), nil },
			})
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				host := "www.example"
				if bench.fresh {
					host = fmt.Sprint(i, ".example")
					i++
				}
				r.Resolve(b.Context(), host, Want{V4: true})
			}
		})
	}
}
