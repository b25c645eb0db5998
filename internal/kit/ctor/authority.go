package ctor

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"

	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// StartAuthority runs C tor in dir as an authority that is alone in its test network, and returns the address of its DirPort
// once this is open. It keeps relays for reachable without a test. Lines of more count above its own.
func StartAuthority(ctx context.Context, dir string, more Torrc) (p *Process, dirPort string, err error) {
	gencert, err := Find("tor-gencert")
	if err != nil {
		return nil, "", err
	}
	bin, err := Find("tor")
	if err != nil {
		return nil, "", err
	}
	v3, err := Gencert(ctx, gencert, dir)
	if err != nil {
		return nil, "", err
	}
	fingerprint, err := writeIdentity(dir)
	if err != nil {
		return nil, "", err
	}
	orPort, err := freePort()
	if err != nil {
		return nil, "", err
	}
	if dirPort, err = freePort(); err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(orPort)
	torrc := Torrc{
		"TestingTorNetwork 1", "Address 127.0.0.1", "SocksPort 0", "ORPort " + orPort, "DirPort " + dirPort, "Nickname auth",
		"ContactInfo nobody", "AuthoritativeDirectory 1", "V3AuthoritativeDirectory 1", "AssumeReachable 1", "ExitRelay 0",
		fmt.Sprintf("DirAuthority auth orport=%s v3ident=%s %s %X", port, v3, dirPort, fingerprint),
	}
	if p, err = Start(Config{Name: "auth", Bin: bin, Dir: dir, Torrc: append(torrc, more...)}); err != nil {
		return nil, "", err
	}
	if _, err = p.Wait(ctx, regexp.MustCompile("Opened Directory listener")); err != nil {
		p.Kill()
		return nil, "", err
	}
	return p, dirPort, nil
}

// writeIdentity makes the RSA identity of a relay, which the network has to know before the relay starts.
func writeIdentity(dir string) (fingerprint [20]byte, err error) {
	key, err := rsa.GenerateKey(rand.Reader, rsakey.RelayBits)
	if err != nil {
		return fingerprint, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	return rsakey.Fingerprint(&key.PublicKey), os.WriteFile(filepath.Join(DataDir(dir), "keys", "secret_id_key"), text, 0o600)
}

// freePort returns an address of loopback on which nobody listens.
func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
