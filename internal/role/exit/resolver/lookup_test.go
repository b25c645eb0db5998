package resolver

import (
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

const good = "203.0.113.1"

// Whatever a forger or a broken server sends, only an answer that repeats the whole question counts.
func TestForgedAnswers(t *testing.T) {
	evil := func(x *exchange) *dns.Msg { return x.msg(x.name + " 60 IN A 203.0.113.66") }
	forgeries := map[string]func(*exchange){
		"wrong ID": func(x *exchange) {
			m := evil(x)
			m.Id++
			x.reply(m)
		},
		"wrong case": func(x *exchange) {
			m := evil(x)
			m.Question[0].Name = flipCase(m.Question[0].Name)
			x.reply(m)
		},
		"other question": func(x *exchange) {
			m := evil(x)
			m.Question[0].Name = "other.example."
			x.reply(m)
		},
		"other type": func(x *exchange) {
			m := evil(x)
			m.Question[0].Qtype = dns.TypeTXT
			x.reply(m)
		},
		"other class": func(x *exchange) {
			m := evil(x)
			m.Question[0].Qclass = dns.ClassCHAOS
			x.reply(m)
		},
		"no question": func(x *exchange) {
			m := evil(x)
			m.Question = nil
			x.reply(m)
		},
		"two questions": func(x *exchange) {
			m := evil(x)
			m.Question = append(m.Question, m.Question[0])
			x.reply(m)
		},
		"a query": func(x *exchange) {
			m := evil(x)
			m.Response = false
			x.reply(m)
		},
		"other operation": func(x *exchange) {
			m := evil(x)
			m.Opcode = dns.OpcodeNotify
			x.reply(m)
		},
		"nothing":      func(x *exchange) { x.send(nil) },
		"a stump":      func(x *exchange) { x.send([]byte{1, 2, 3}) },
		"random bytes": func(x *exchange) { x.send([]byte(strings.Repeat("\xa5garbage", 40))) },
		"header alone": func(x *exchange) {
			x.send(append(binary.BigEndian.AppendUint16(nil, x.q.Id), 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0))
		},
	}
	for name, forge := range forgeries {
		t.Run(name, func(t *testing.T) {
			h := func(x *exchange) {
				forge(x)
				x.s.sleep(100 * time.Millisecond)
				x.reply(x.msg(x.name + " 60 IN A " + good))
			}
			inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
				start := time.Now()
				b.wantAddrs("www.example", Want{V4: true}, good)
				if got := time.Since(start); got != 100*time.Millisecond+2*latency {
					t.Errorf("took %v", got)
				}
				if s := b.r.Stats(); s.Strays != 1 {
					t.Errorf("Strays = %d, want 1", s.Strays)
				}
				// And alone it is no answer at all.
				b.servers[0].setHandler(forge)
				b.wantErr("other.example", Want{V4: true}, ErrTimeout, false)
			})
		})
	}
}

func flipCase(s string) string {
	return strings.Map(func(c rune) rune {
		if 'a' <= c|0x20 && c|0x20 <= 'z' {
			return c ^ 0x20
		}
		return c
	}, s)
}

// An answer from another address does not count, although it knows everything.
func TestForgedSource(t *testing.T) {
	inBed(t, 1, nil, nil, func(t *testing.T, b *bed) {
		forger := b.net.Host("forger", netAddr("198.51.100.200"))
		out, err := forger.ListenPacket("udp", ":53")
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		b.servers[0].setHandler(func(x *exchange) {
			wire, _ := x.msg(x.name + " 60 IN A 203.0.113.66").Pack()
			out.WriteTo(wire, x.from)
			x.s.sleep(100 * time.Millisecond)
			x.reply(x.msg(x.name + " 60 IN A " + good))
		})
		b.wantAddrs("www.example", Want{V4: true}, good)
	})
}

// A flood of guesses makes the question go over TCP.
func TestFlooded(t *testing.T) {
	h := func(x *exchange) {
		if x.tcp {
			always(good)(x)
			return
		}
		for i := range 100 {
			m := x.msg(x.name + " 60 IN A 203.0.113.66")
			m.Id += uint16(i) + 1
			x.reply(m)
		}
	}
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		b.wantAddrs("www.example", Want{V4: true}, good)
		if s := b.r.Stats(); s.Strays != maxStrays {
			t.Errorf("Strays = %d, want %d", s.Strays, maxStrays)
		}
	})
}

// Queries differ in ID, port and case.
func TestQueriesAreRandom(t *testing.T) {
	const n = 40
	for _, keep := range []bool{false, true} {
		inBed(t, 1, always(good), func(c *Config) { c.NoRandomizeCase = keep }, func(t *testing.T, b *bed) {
			ids, ports, names := map[uint16]bool{}, map[int]bool{}, map[string]bool{}
			for i := range n {
				b.wantAddrs(fmt.Sprintf("%02d.www.a-long-name.example", i), Want{V4: true}, good)
			}
			for _, x := range b.servers[0].got() {
				ids[x.q.Id] = true
				ports[x.from.(*net.UDPAddr).Port] = true
				names[x.q.Question[0].Name[2:]] = true
				if !x.q.RecursionDesired || x.q.IsEdns0() != nil || len(x.q.Answer)+len(x.q.Ns)+len(x.q.Extra) > 0 {
					t.Errorf("query %v", x.q)
				}
			}
			if len(ids) < n-1 || len(ports) != n {
				t.Errorf("%d IDs, %d ports in %d queries", len(ids), len(ports), n)
			}
			if keep && len(names) != 1 || !keep && len(names) < n-1 {
				t.Errorf("%d ways to write a name in %d queries, NoRandomizeCase %v", len(names), n, keep)
			}
		})
	}
}

func TestServerFaults(t *testing.T) {
	slow := func(d time.Duration, h handler) handler {
		return func(x *exchange) {
			x.s.sleep(d)
			h(x)
		}
	}
	headerOnly := func(x *exchange) {
		x.send(append(binary.BigEndian.AppendUint16(nil, x.q.Id), 0x81, 0x85, 0, 1, 0, 0, 0, 0, 0, 0))
	}
	broken := func(x *exchange) { // an A record of 3 bytes
		wire, _ := x.msg(x.name + " 60 IN A 203.0.113.66").Pack()
		wire[len(wire)-5]--
		x.send(wire[:len(wire)-1])
	}
	const rtt = 2 * latency
	for _, tt := range []struct {
		name    string
		servers []handler
		want    error // nil: good
		took    time.Duration
	}{
		{"well", []handler{always(good)}, nil, rtt},
		{"SERVFAIL, then well", []handler{code(dns.RcodeServerFailure), always(good)}, nil, 2 * rtt},
		{"REFUSED, then well", []handler{code(dns.RcodeRefused), always(good)}, nil, 2 * rtt},
		{"REFUSED without a question, then well", []handler{headerOnly, always(good)}, nil, 2 * rtt},
		{"NOTIMP, FORMERR, nonsense, then well", []handler{code(dns.RcodeNotImplemented), code(dns.RcodeFormatError), broken, always(good)}, nil, 4 * rtt},
		{"stalls, then well", []handler{silent, always(good)}, nil, time.Second + rtt},
		{"all SERVFAIL", []handler{code(dns.RcodeServerFailure), code(dns.RcodeServerFailure)}, ErrServer, 2 * rtt},
		{"all stall", []handler{silent, silent, silent}, ErrTimeout, 2 * time.Second},
		{"one stalls", []handler{silent}, ErrTimeout, 2 * time.Second},
		{"stalls, then SERVFAIL", []handler{silent, code(dns.RcodeServerFailure)}, ErrTimeout, 2*time.Second + rtt},
		{"answers after the second try", []handler{slow(1500*time.Millisecond, always(good))}, nil, 1500*time.Millisecond + rtt},
		{"answers while the next is asked", []handler{slow(1200*time.Millisecond, always(good)), silent}, nil, 1200*time.Millisecond + rtt},
		{"answers too late", []handler{slow(2500*time.Millisecond, always(good))}, ErrTimeout, 2 * time.Second},
		{"SERVFAIL late", []handler{slow(1200*time.Millisecond, code(dns.RcodeServerFailure)), slow(500*time.Millisecond, always(good))}, nil, 1500*time.Millisecond + rtt},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBed(t, len(tt.servers), nil, nil, func(t *testing.T, b *bed) {
				for i, h := range tt.servers {
					b.servers[i].setHandler(h)
				}
				start := time.Now()
				if tt.want == nil {
					b.wantAddrs("www.example", Want{V4: true}, good)
				} else {
					b.wantErr("www.example", Want{V4: true}, tt.want, false)
				}
				if got := time.Since(start); got != tt.took {
					t.Errorf("took %v, want %v", got, tt.took)
				}
			})
		})
	}
}

func TestNobodyListens(t *testing.T) {
	inBed(t, 2, always(good), nil, func(t *testing.T, b *bed) {
		b.servers[0].host.Crash()
		start := time.Now()
		b.wantAddrs("www.example", Want{V4: true}, good)
		if got := time.Since(start); got != 4*latency {
			t.Errorf("took %v; the system says that nobody listens", got)
		}
	})
	inBed(t, 1, nil, nil, func(t *testing.T, b *bed) {
		b.setConf("nameserver 198.51.100.99\n")
		b.wantErr("www.example", both, ErrServer, false) // no such host
	})
}

// A temporary failure of one family outweighs that the other has nothing.
func TestFamilies(t *testing.T) {
	h := func(x *exchange) {
		if x.q.Question[0].Qtype == dns.TypeAAAA && x.name != "six.example." && x.name != "broken-four.example." ||
			x.q.Question[0].Qtype == dns.TypeA && x.name == "broken-four.example." {
			x.reply(x.rcode(dns.RcodeServerFailure))
			return
		}
		zone("four.example. 60 IN A 203.0.113.4", "six.example. 60 IN AAAA 2001:db8::6")(x)
	}
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		b.wantAddrs("four.example", both, "203.0.113.4")
		b.wantAddrs("six.example", both, "2001:db8::6")
		b.wantErr("none.example", both, ErrServer, false)
		b.wantErr("broken-four.example", both, ErrServer, false)
		b.wantErr("none.example", Want{V4: true}, ErrNotFound, true)
	})
}

func TestTruncated(t *testing.T) {
	cut := func(x *exchange) {
		m := x.msg(x.name + " 60 IN A 203.0.113.66")
		m.Truncated = true
		x.reply(m)
	}
	onTCP := func(udp, tcp handler) handler {
		return func(x *exchange) {
			if x.tcp {
				tcp(x)
			} else {
				udp(x)
			}
		}
	}
	giant := func(x *exchange) {
		m := x.msg()
		for i := range 3000 {
			rr, _ := dns.NewRR(fmt.Sprintf("%s 60 IN A 203.0.%d.%d", x.name, i/256, i%256))
			m.Answer = append(m.Answer, rr)
		}
		x.reply(m)
	}
	big := func(x *exchange) {
		m := x.msg(x.name + " 60 IN A 203.0.113.66")
		for range 100 {
			m.Answer = append(m.Answer, m.Answer[0])
		}
		x.reply(m)
	}
	halfway := func(x *exchange) {
		x.send([]byte("never"))
	}
	t.Run("TCP", func(t *testing.T) {
		inBed(t, 1, onTCP(cut, always(good)), nil, func(t *testing.T, b *bed) {
			b.wantAddrs("www.example", Want{V4: true}, good)
		})
	})
	t.Run("giant", func(t *testing.T) {
		inBed(t, 1, onTCP(cut, giant), nil, func(t *testing.T, b *bed) {
			a, err := b.r.Resolve(t.Context(), "www.example", Want{V4: true})
			if err != nil || len(a.Addrs) != maxRecords {
				t.Errorf("got %d addresses, %v; want %d", len(a.Addrs), err, maxRecords)
			}
		})
	})
	t.Run("larger than a datagram may be", func(t *testing.T) {
		inBed(t, 1, onTCP(big, always(good)), nil, func(t *testing.T, b *bed) {
			b.wantAddrs("www.example", Want{V4: true}, good)
		})
	})
	for name, tcp := range map[string]handler{"cut off by TCP too": cut, "nonsense by TCP": halfway, "REFUSED by TCP": code(dns.RcodeRefused)} {
		t.Run(name, func(t *testing.T) {
			inBed(t, 2, nil, nil, func(t *testing.T, b *bed) {
				b.servers[0].setHandler(onTCP(cut, tcp))
				b.servers[1].setHandler(always(good))
				b.wantAddrs("www.example", Want{V4: true}, good)
				b.servers[1].setHandler(onTCP(cut, tcp))
				b.wantErr("other.example", Want{V4: true}, ErrServer, false)
			})
		})
	}
	t.Run("TCP stalls", func(t *testing.T) {
		inBed(t, 2, onTCP(cut, silent), nil, func(t *testing.T, b *bed) {
			b.servers[0].setHandler(onTCP(cut, func(x *exchange) { x.s.sleep(time.Minute) }))
			b.servers[1].setHandler(always(good))
			start := time.Now()
			b.wantAddrs("www.example", Want{V4: true}, good)
			if got := time.Since(start); got != tcpTimeout+4*latency {
				t.Errorf("took %v", got)
			}
		})
	})
	t.Run("no UDP", func(t *testing.T) {
		h := func(x *exchange) {
			if x.tcp {
				always(good)(x)
			}
		}
		inBed(t, 1, h, func(c *Config) { c.Env.Net = onlyTCP{c.Env.Net} }, func(t *testing.T, b *bed) {
			b.wantAddrs("www.example", Want{V4: true}, good)
		})
	})
}

func TestServersGoDownAndComeBack(t *testing.T) {
	inBed(t, 2, always(good), func(c *Config) { c.NoHijackTest = true }, func(t *testing.T, b *bed) {
		stop := b.run()
		defer stop()
		bad, well := b.servers[0], b.servers[1]
		bad.setHandler(silent)
		for i := 0; b.up() == 2; i++ {
			if i > 2*maxFailures+2 {
				t.Fatal("a server that never answers stays up")
			}
			b.wantAddrs(fmt.Sprintf("%d.example", i), Want{V4: true}, good)
		}
		before := bad.questions()
		if before != maxFailures+1 {
			t.Errorf("down after %d questions", before)
		}
		start := time.Now()
		for i := range 20 {
			b.wantAddrs(fmt.Sprintf("more-%d.example", i), Want{V4: true}, good)
		}
		if d := time.Since(start); d != 20*2*latency || bad.questions() != before {
			t.Errorf("a server that is down was asked; took %v", d)
		}

		// Probes come after 10, 30, 90 and so on seconds.
		time.Sleep(10*time.Second + 30*time.Second + 90*time.Second + 10*time.Second)
		if probes := bad.got()[before:]; len(probes) != 3 || probes[0].name != "www.google.com." {
			t.Errorf("%d probes, want 3 for www.google.com", len(probes))
		}

		// The other one fails as well; with none up, all are tried.
		well.setHandler(silent)
		for i := range maxFailures + 1 {
			b.wantErr(fmt.Sprintf("fail-%d.example", i), Want{V4: true}, ErrTimeout, false)
		}
		if b.up() != 0 {
			t.Errorf("%d servers up, want none", b.up())
		}
		bad.setHandler(always(good))
		well.setHandler(always(good))
		b.wantAddrs("again.example", Want{V4: true}, good)
		if b.up() != 1 {
			t.Errorf("%d servers up after an answer, want 1", b.up())
		}
		time.Sleep(2 * time.Hour)
		if b.up() != 2 {
			t.Errorf("%d servers up after probes, want 2", b.up())
		}
		if got, want := b.kinds(), []EventKind{ServerDown, ServerDown, AllDown, ServerUp, ServerUp}; !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

func (b *bed) up() int {
	synctest.Wait()
	_, up := b.r.Nameservers()
	return up
}

// The only server is never down, and names whose own servers fail take none down.
func TestServersStayUp(t *testing.T) {
	inBed(t, 1, silent, nil, func(t *testing.T, b *bed) {
		for i := range 3 * maxFailures {
			b.wantErr(fmt.Sprintf("%d.example", i), Want{V4: true}, ErrTimeout, false)
		}
		if b.up() != 1 {
			t.Error("the only server is down")
		}
	})
	inBed(t, 2, code(dns.RcodeServerFailure), nil, func(t *testing.T, b *bed) {
		for i := range 3 * maxFailures {
			b.wantErr(fmt.Sprintf("%d.example", i), Want{V4: true}, ErrServer, false)
		}
		if b.up() != 2 {
			t.Error("SERVFAIL takes servers down")
		}
	})
}

func TestSetLimits(t *testing.T) {
	inBed(t, 1, silent, nil, func(t *testing.T, b *bed) {
		for _, tt := range []struct {
			timeout  time.Duration
			attempts int
			want     time.Duration
		}{{3 * time.Second, 3, 9 * time.Second}, {2500 * time.Millisecond, 1, 2 * time.Second}, {0, 0, time.Second}} {
			b.r.SetLimits(tt.timeout, tt.attempts)
			start := time.Now()
			b.wantErr(fmt.Sprintf("%d.example", tt.attempts), Want{V4: true}, ErrTimeout, false)
			if got := time.Since(start); got != tt.want {
				t.Errorf("SetLimits(%v, %d): took %v, want %v", tt.timeout, tt.attempts, got, tt.want)
			}
		}
	})
	inBed(t, 1, silent, nil, func(t *testing.T, b *bed) {
		b.setConf(b.conf + "options timeout:4 attempts:3\n")
		start := time.Now()
		b.wantErr("www.example", Want{V4: true}, ErrTimeout, false)
		if got := time.Since(start); got != 12*time.Second {
			t.Errorf("took %v, want what resolv.conf says", got)
		}
	})
}

func TestBrokenIPv6(t *testing.T) {
	h := func(x *exchange) {
		if x.q.Question[0].Qtype == dns.TypeA {
			always(good)(x)
		}
	}
	inBed(t, 1, h, nil, func(t *testing.T, b *bed) {
		for i := range 11 {
			if b.r.BrokenIPv6() {
				t.Errorf("broken after %d", i)
			}
			b.wantAddrs(fmt.Sprintf("%d.example", i), both, good)
		}
		if !b.r.BrokenIPv6() {
			t.Error("not broken")
		}
		b.setConf("nameserver 198.51.100.1\nnameserver 198.51.100.2\n")
		if err := b.r.Reload(); err != nil || b.r.BrokenIPv6() {
			t.Errorf("broken with other servers, %v", err)
		}
	})
}
