package memnet_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/lib/memnet"
)

// TestTLS checks that TLS records keep their order across a slow link, and that nothing of it keeps a bubble alive.
func TestTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := connect(t, memnet.Link{Latency: 20 * time.Millisecond, Bandwidth: 1 << 20})
		client := tls.Client(d.client, &tls.Config{InsecureSkipVerify: true})
		server := tls.Server(d.serv, &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}})
		const size = 300_000
		go func() {
			io.CopyN(server, server, size)
			server.Close()
		}()
		// The handshake comes before the goroutines that use the connection: they would wait for it on a mutex,
		// which stops the clock of the bubble.
		if err := client.Handshake(); err != nil {
			t.Fatal(err)
		}
		go client.Write(make([]byte, size))
		got, err := io.Copy(io.Discard, client)
		if got != size || err != nil {
			t.Errorf("got %d bytes back, %v; want %d", got, err, size)
		}
		client.Close()
	})
}

func selfSigned(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
