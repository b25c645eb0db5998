package link

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tropea-net/tropea/internal/lib/memnet"
)

// What a peer may offer in TLS: any group that both know, in any order (bug 41134 of C tor), and nothing before TLS 1.2
// (bug 41067).
func TestTLSOffers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		groups []tls.CurveID // nil: Go's
		max    uint16
		bad    bool
	}{
		{name: "P-256 only", groups: []tls.CurveID{tls.CurveP256}},
		{name: "P-256 first", groups: []tls.CurveID{tls.CurveP256, tls.X25519}},
		{name: "X25519 first", groups: []tls.CurveID{tls.X25519, tls.CurveP256}},
		{name: "P-384 first", groups: []tls.CurveID{tls.CurveP384, tls.CurveP256, tls.X25519}},
		{name: "P-521 only", groups: []tls.CurveID{tls.CurveP521}},
		{name: "P-256 only, TLS 1.2", groups: []tls.CurveID{tls.CurveP256}, max: tls.VersionTLS12},
		{name: "TLS 1.1", max: tls.VersionTLS11, bad: true},
		{name: "TLS 1.0", max: tls.VersionTLS10, bad: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := memnet.New(memnet.Link{})
				relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0))
				raw, err := n.Host("peer", netip.MustParseAddr("192.0.2.66")).Dial(t.Context(), "tcp", relay.addr.String())
				if err != nil {
					t.Fatal(err)
				}
				defer raw.Close()
				conn := tls.Client(raw, &tls.Config{
					InsecureSkipVerify: true, CurvePreferences: tt.groups, MinVersion: tls.VersionTLS10, MaxVersion: tt.max,
				})
				if err := conn.HandshakeContext(t.Context()); (err != nil) != tt.bad {
					t.Errorf("TLS: %v, want an error: %v", err, tt.bad)
				}
			})
		})
	}
}

// noExport is TLS of which no keying material can be had, as OpenSSL's once was with a silent peer (TROVE-2023-004).
type noExport struct{ TLS }

var errExport = errors.New("no keying material")

func (s noExport) Server(ctx context.Context, c net.Conn, cert *tls.Certificate) (SecureConn, error) {
	conn, err := s.TLS.Server(ctx, c, cert)
	return noExportConn{conn}, err
}

type noExportConn struct{ SecureConn }

func (noExportConn) ExportKeyingMaterial(string, []byte, int) ([]byte, error) { return nil, errExport }

// An error of TLS closes the link, and nothing else.
func TestExportFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := memnet.New(memnet.Link{})
		relay := newNode(t, n, "relay", "192.0.2.1:9001", credentials(0))
		relay.cfg.Security = noExport{}
		peer := newNode(t, n, "peer", "192.0.2.2:9001", credentials(1))
		peer.Get(t.Context(), relay.target(0)) // opens at the peer, or not: the relay hangs up at once
		if err := <-relay.accepted; !errors.Is(err, errExport) {
			t.Errorf("Accept: %v, want %v", err, errExport)
		}
		client := newNode(t, n, "client", "192.0.2.9:1", nil) // for whom nothing is exported
		if _, err := client.Get(t.Context(), relay.target(0)); err != nil {
			t.Error(err)
		}
		for _, l := range relay.Links() {
			if l.Peer().Relay || strings.HasPrefix(l.Peer().Addr.String(), "192.0.2.2:") {
				t.Error("there is a link to the relay that has proven nothing")
			}
		}
	})
}
