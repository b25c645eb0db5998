package link_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

type steps = []fakepeer.Step

// step makes a step of a cell.
func step(cmd cell.Command, body ...byte) fakepeer.Step {
	return fakepeer.Step{Cell: cell.Cell{Cmd: cmd, Body: body}}
}

// certs returns a hook that changes the CERTS cell.
func certs(change func([]torcert.Entry) []torcert.Entry) func(steps) steps {
	return func(s steps) steps {
		m, err := cell.ParseCerts(s[1].Cell.Body)
		if err != nil {
			panic(err)
		}
		var entries []torcert.Entry
		for _, c := range m.Certs {
			entries = append(entries, torcert.Entry{Type: c.Type, Body: slices.Clone(c.Body)})
		}
		s[1].Cell.Body = fakepeer.CertsBody(change(entries))
		return s
	}
}

// without leaves out certificates of some types.
func without(types ...uint8) func(steps) steps {
	return certs(func(e []torcert.Entry) []torcert.Entry {
		return slices.DeleteFunc(e, func(e torcert.Entry) bool { return slices.Contains(types, e.Type) })
	})
}

// onlyRSA leaves out what proves an Ed25519 identity.
var onlyRSA = without(torcert.TypeIDSigning, torcert.TypeSigningLink, torcert.TypeRSACross)

// from replaces certificates of some types by those of another relay, made at a time relative to now.
func from(id *fakepeer.Identity, age time.Duration, types ...uint8) func(steps) steps {
	return certs(func(e []torcert.Entry) []torcert.Entry {
		_, others, err := id.Keys().Responder(random, &id.Keys().RSA.PublicKey, time.Now().Add(-age), 48*time.Hour)
		if err != nil {
			panic(err)
		}
		for i := range e {
			for _, o := range others {
				if e[i].Type == o.Type && slices.Contains(types, o.Type) {
					e[i] = o
				}
			}
		}
		return e
	})
}

// set returns a hook that replaces step i.
func set(i int, with ...fakepeer.Step) func(steps) steps {
	return func(s steps) steps { return slices.Replace(s, i, i+1, with...) }
}

// onCircuit returns a hook that gives step i a circuit ID.
func onCircuit(i int) func(steps) steps {
	return func(s steps) steps {
		s[i].Cell.Circ = 1
		return s
	}
}

const (
	iVersions = iota
	iCerts
	iChallenge
	iNetinfo
)

const year = 365 * 24 * time.Hour

// A relay that does not keep to the handshake gets no link, and the error says what it did.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
func TestHostileHandshake(t *testing.T) {
	id := ids[0]
	for _, c := range []struct {
		name string
		hook func(steps) steps
		is   error  // errors.Is
		text string // the error holds it
		not  bool   // it is not a *ProtocolError
	}{
		{name: "VERSIONS odd", hook: set(iVersions, step(cell.CmdVersions, 0, 5, 0)), is: cell.ErrMalformed},
		{name: "VERSIONS empty", hook: set(iVersions, step(cell.CmdVersions)), text: "no common link protocol"},
		{name: "VERSIONS too old and too new", hook: set(iVersions, step(cell.CmdVersions, 0, 1, 0, 2, 0, 6, 0, 0)), text: "no common link protocol"},
		{name: "VERSIONS missing", hook: set(iVersions), is: cell.ErrBeforeVersions},
		{name: "NETINFO before VERSIONS", hook: func(s steps) steps { return steps{s[iNetinfo], s[iVersions]} }, is: cell.ErrBeforeVersions},
		{name: "VERSIONS on a circuit", hook: onCircuit(iVersions), text: "VERSIONS with a circuit ID"},

		{name: "CERTS missing", hook: set(iCerts), text: "AUTH_CHALLENGE when CERTS was due"},
		{name: "CERTS twice", hook: func(s steps) steps { return slices.Insert(s, iCerts, s[iCerts]) }, text: "CERTS when AUTH_CHALLENGE was due"},
		{name: "CERTS on a circuit", hook: onCircuit(iCerts), text: "CERTS with a circuit ID"},
		{name: "CERTS without a body", hook: set(iCerts, step(cell.CmdCerts)), is: cell.ErrTruncated},
		{name: "CERTS with none", hook: set(iCerts, step(cell.CmdCerts, 0)), is: torcert.ErrMissing},
		{name: "CERTS with fewer than it says", hook: set(iCerts, step(cell.CmdCerts, 2, 1, 0, 1, 0)), is: cell.ErrTruncated},
		{name: "CERTS of garbage", hook: certs(func(e []torcert.Entry) []torcert.Entry {
			for i := range e {
				e[i].Body = []byte("garbage")
			}
			return e
		}), is: torcert.ErrMalformed},
		{name: "certificate twice", hook: certs(func(e []torcert.Entry) []torcert.Entry { return append(e, e[0]) }), is: cell.ErrRepeated},
		{name: "no certificate of RSA", hook: without(torcert.TypeRSAIdentity), is: torcert.ErrMissing},
		{name: "no link certificate", hook: without(torcert.TypeSigningLink), is: torcert.ErrMissing},
		{name: "no cross-certificate", hook: without(torcert.TypeRSACross), is: torcert.ErrMissing},
		{name: "no certificate of Ed25519", hook: onlyRSA, is: link.ErrWrongIdentity, not: true},
		{name: "expired link certificate", hook: from(id, 3*24*time.Hour, torcert.TypeSigningLink), is: torcert.ErrExpired},
		{name: "expired cross-certificate", hook: from(id, year, torcert.TypeRSACross), is: torcert.ErrExpired},
		{name: "expired RSA identity", hook: from(id, 3*year, torcert.TypeRSAIdentity), is: torcert.ErrExpired},
		{name: "RSA identity not valid yet", hook: from(id, -2*year, torcert.TypeRSAIdentity), is: torcert.ErrNotYetValid},
		{name: "another relay's RSA identity", hook: from(ids[1], 0, torcert.TypeRSAIdentity), is: torcert.ErrSignature},
		{name: "another relay's signing key", hook: from(ids[1], 0, torcert.TypeIDSigning), is: torcert.ErrWrongKey},
		{name: "another relay's link certificate", hook: from(ids[1], 0, torcert.TypeSigningLink), is: torcert.ErrSignature},
		{name: "another relay's cross-certificate", hook: from(ids[1], 0, torcert.TypeRSACross), is: torcert.ErrWrongKey},
		{name: "link certificate for other TLS", hook: from(id, 0, torcert.TypeSigningLink), is: torcert.ErrOtherTLSCert},
		{name: "all of another relay", hook: from(ids[1], 0, 1, 2, 4, 5, 7), is: torcert.ErrOtherTLSCert},
		{name: "flipped signature", hook: certs(func(e []torcert.Entry) []torcert.Entry {
			for i := range e {
				e[i].Body[len(e[i].Body)-1] ^= 1
			}
			return e
		}), is: torcert.ErrSignature},

		{name: "AUTH_CHALLENGE missing", hook: set(iChallenge), text: "NETINFO when AUTH_CHALLENGE was due"},
		{name: "AUTH_CHALLENGE truncated", hook: set(iChallenge, step(cell.CmdAuthChallenge, make([]byte, 33)...)), is: cell.ErrTruncated},
		{name: "AUTH_CHALLENGE with fewer methods than it says", hook: set(iChallenge, step(cell.CmdAuthChallenge, append(make([]byte, 33), 2, 0, 3)...)), is: cell.ErrTruncated},
		{name: "AUTH_CHALLENGE twice", hook: func(s steps) steps { return slices.Insert(s, iChallenge, s[iChallenge]) }, text: "AUTH_CHALLENGE when NETINFO was due"},
		{name: "AUTH_CHALLENGE before CERTS", hook: func(s steps) steps { s[1], s[2] = s[2], s[1]; return s }, text: "AUTH_CHALLENGE when CERTS was due"},
		{name: "AUTH_CHALLENGE on a circuit", hook: onCircuit(iChallenge), text: "AUTH_CHALLENGE with a circuit ID"},

		{name: "NETINFO before CERTS", hook: func(s steps) steps { s[1], s[3] = s[3], s[1]; return s }, text: "NETINFO when CERTS was due"},
		{name: "NETINFO with a wrong address", hook: set(iNetinfo, step(cell.CmdNetinfo, 0, 0, 0, 1, 4, 5, 1, 2, 3, 4, 5, 0)), is: cell.ErrMalformed},
		{name: "NETINFO with too many addresses", hook: set(iNetinfo, step(cell.CmdNetinfo, append([]byte{0, 0, 0, 1, 4, 4, 1, 2, 3, 4, 255}, slices.Repeat([]byte{4, 4, 1, 2, 3, 4}, 80)...)...)), is: cell.ErrTruncated},
		{name: "NETINFO on a circuit", hook: onCircuit(iNetinfo), text: "NETINFO with a circuit ID"},

		{name: "PADDING", hook: set(iNetinfo, step(cell.CmdPadding)), text: "PADDING when NETINFO was due"},
		{name: "CREATED2", hook: set(iNetinfo, step(cell.CmdCreated2)), text: "CREATED2 when NETINFO was due"},
		{name: "RELAY", hook: set(iCerts, step(cell.CmdRelay)), text: "RELAY when CERTS was due"},
		{name: "unknown command", hook: set(iCerts, step(99)), text: "command 99 when CERTS was due"},
		{name: "unknown command of variable length", hook: set(iChallenge, step(200)), text: "command 200 when AUTH_CHALLENGE was due"},
		{name: "AUTHENTICATE", hook: set(iChallenge, step(cell.CmdAuthenticate)), text: "AUTHENTICATE when AUTH_CHALLENGE was due"},
		{name: "another protocol", hook: set(iVersions, fakepeer.Step{Raw: []byte("HTTP/1.1 400 Bad Request\r\n\r\n")}), is: cell.ErrBeforeVersions},
		{name: "endless padding", hook: func(s steps) steps {
			pad := step(cell.CmdVPadding, make([]byte, cell.MaxVariableLen)...)
			return slices.Insert(s, 1, pad, pad, pad)
		}, text: "more than 131072 bytes"},
	} {
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{Handshake: c.hook}}, nil)
			l, err := w.registry.Get(t.Context(), w.target)
			if err == nil {
				t.Fatalf("link opened: %+v", l.Peer())
			}
			if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("error %q, want %v %q", err, c.is, c.text)
			}
			if isProtocolError(err) == c.not {
				t.Errorf("error %q: is it a ProtocolError? %v", err, !c.not)
			}
			dial, ok := errors.AsType[*link.DialError](err)
			if !ok || dial.Op != "handshake" || dial.Addr != relayAddr {
				t.Errorf("%T %+v", err, dial)
			}
			if len(w.registry.Links()) != 0 {
				t.Error("the registry has a link")
			}
		})
	}
}

// A relay that is somebody else than wanted gets no link.
func TestWrongIdentity(t *testing.T) {
	for name, change := range map[string]func(*link.Target){
		"RSA":              func(g *link.Target) { g.RSA = ids[1].RSA() },
		"Ed25519":          func(g *link.Target) { g.Ed = ids[1].Ed() },
		"both":             func(g *link.Target) { g.RSA, g.Ed = ids[1].RSA(), ids[1].Ed() },
		"RSA, Ed unknown":  func(g *link.Target) { g.RSA, g.HasEd = ids[1].RSA(), false },
		"Ed, RSA unknown":  func(g *link.Target) { g.Ed, g.HasRSA = ids[1].Ed(), false },
		"zero RSA, not Ed": func(g *link.Target) { g.RSA, g.HasEd = [20]byte{}, false },
	} {
		bubble(t, name, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{}, nil)
			change(&w.target)
			if _, err := w.registry.Get(t.Context(), w.target); !errors.Is(err, link.ErrWrongIdentity) {
				t.Errorf("error %v", err)
			}
		})
	}
	bubble(t, "none wanted", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		w.target.HasRSA, w.target.HasEd = false, false
		if _, err := w.registry.Get(t.Context(), w.target); err == nil || !strings.Contains(err.Error(), "without an identity") {
			t.Errorf("error %v", err)
		}
	})
}

// The connection ends after any number of bytes.
func TestTruncatedHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cut, whole := 0, 1
		hook := func(s steps) steps {
			var all []byte
			f := cell.FramingFor(0)
			for _, s := range s {
				all, _ = f.AppendCell(all, s.Cell)
				f = cell.FramingFor(5)
			}
			whole = len(all)
			return steps{{Raw: all[:cut], Cut: true}}
		}
		w := newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{Handshake: hook}}, nil)
		for ; cut < whole; cut += 1 + cut/10 {
			_, err := w.registry.Get(t.Context(), w.target)
			// Our NETINFO may go out before we notice.
			if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("after %d bytes of %d: %v", cut, whole, err)
			}
		}
	})
}

// A relay that falls silent, at whatever step, is given up in time.
func TestSilentPeer(t *testing.T) {
	for keep := range 4 {
		bubble(t, "handshake", func(t *testing.T) {
			hook := func(s steps) steps { return s[:keep] }
			w := newWorld(t, fakepeer.Config{Hooks: fakepeer.Hooks{Handshake: hook}}, nil)
			checkTimeout(t, w, "handshake", time.Minute)
		})
	}
	bubble(t, "TLS", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, func(c *link.Config) { c.Timeout = 7 * time.Second })
		silent, err := w.guard.Listen(t.Context(), "tcp", "192.0.2.2:9002")
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		w.target.Addrs[0] = addr("192.0.2.2:9002")
		checkTimeout(t, w, "TLS", 7*time.Second)
	})
	bubble(t, "connect", func(t *testing.T) {
		w := newWorld(t, fakepeer.Config{}, nil)
		w.net.Cut(w.client, w.guard)
		checkTimeout(t, w, "connect", time.Minute)
	})
}

func checkTimeout(t *testing.T, w *world, op string, after time.Duration) {
	start := time.Now()
	_, err := w.registry.Get(t.Context(), w.target)
	dial, ok := errors.AsType[*link.DialError](err)
	if !ok || dial.Op != op || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(start); took != after {
		t.Errorf("given up after %v, want %v", took, after)
	}
}
