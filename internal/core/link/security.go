package link

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
)

// Security turns a fresh connection into an encrypted one. TLS is the real one; simulated networks may bring a cheaper
// one, under which cells, CERTS and NETINFO stay what they are.
type Security interface {
	// Client runs the initiator's side on c. It takes c and closes it on failure.
	Client(ctx context.Context, c net.Conn) (SecureConn, error)
	// Server runs the responder's side, with the given certificate. It takes c and closes it on failure.
	Server(ctx context.Context, c net.Conn, cert *tls.Certificate) (SecureConn, error)
}

// SecureConn is an encrypted connection whose responder showed a certificate. Nobody has checked that certificate: the
// CERTS cell says whose it is.
type SecureConn interface {
	net.Conn

	// Certificate returns the certificate that the responder used, in DER.
	Certificate() []byte
	// ExportKeyingMaterial returns n bytes that both ends of this connection know, and nobody else.
	//
	// https://www.rfc-editor.org/rfc/rfc5705
	ExportKeyingMaterial(label string, context []byte, n int) ([]byte, error)
	// RecordReady tells whether the next Read can be served without asking the network.
	RecordReady() bool
	// Await waits until Read has something to read, or less: it is called between two Reads that have left nothing behind, and
	// lets go of buffers meanwhile.
	Await() error
	// Cork holds back what Write produces until Flush.
	Cork()
	// Flush sends what was held back since Cork, and ends the corking.
	Flush() error
}

// TLS is the Security of the Tor network.
//
// https://spec.torproject.org/tor-spec/negotiating-channels.html
type TLS struct{}

// Client implements Security.
func (TLS) Client(ctx context.Context, c net.Conn) (SecureConn, error) {
	buf := newBufConn(c)
	conn := tls.Client(buf, clientConfig())
	if err := conn.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	certs := conn.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		c.Close()
		return nil, errors.New("TLS handshake: relay showed no certificate")
	}
	return &tlsConn{Conn: conn, buf: buf, cert: certs[0].Raw}, nil
}

// Server implements Security.
func (TLS) Server(ctx context.Context, c net.Conn, cert *tls.Certificate) (SecureConn, error) {
	buf := newBufConn(c)
	conn := tls.Server(buf, serverConfig(cert))
	if err := conn.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return &tlsConn{Conn: conn, buf: buf, cert: cert.Certificate[0]}, nil
}

// serverConfig makes the configuration of one connection. No client is asked for a certificate, and no session can be
// resumed. Servers of before TLS 1.3 choose among the same suites as C tor's.
func serverConfig(cert *tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		Certificates:                []tls.Certificate{*cert},
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
			tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
		},
	}
}

// clientConfig makes the configuration of one connection.
//
// The certificate is not checked here: relays sign their own, and the CERTS cell proves who they are. Sessions are never
// resumed, since a resumed session would link two connections of one client. The server name is as random as C tor's.
func clientConfig() *tls.Config {
	return &tls.Config{
		MinVersion:                  tls.VersionTLS12,
		InsecureSkipVerify:          true,
		ServerName:                  randomHostname(4, 25, "www.", ".com"),
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true, // records hold whole chunks from the first byte
		CipherSuites: []uint16{ // for TLS 1.2; Go fixes those of 1.3
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
			tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
			tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		},
	}
}

// randomHostname returns prefix, between minLen and maxLen random base32 characters, and suffix.
func randomHostname(minLen, maxLen int, prefix, suffix string) string {
	const base32 = "abcdefghijklmnopqrstuvwxyz234567"
	var b [33]byte
	rand.Read(b[:])
	n := minLen + int(b[32])%(maxLen-minLen+1)
	name := make([]byte, n)
	for i := range name {
		name[i] = base32[b[i]%32]
	}
	return prefix + string(name) + suffix
}

type tlsConn struct {
	*tls.Conn
	buf  *bufConn
	cert []byte
}

func (c *tlsConn) Certificate() []byte { return c.cert }
func (c *tlsConn) RecordReady() bool   { return c.buf.recordReady() }
func (c *tlsConn) Await() error        { return c.buf.await() }
func (c *tlsConn) Cork()               { c.buf.cork() }
func (c *tlsConn) Flush() error        { return c.buf.flush() }

func (c *tlsConn) ExportKeyingMaterial(label string, context []byte, n int) ([]byte, error) {
	state := c.ConnectionState()
	return state.ExportKeyingMaterial(label, context, n)
}
