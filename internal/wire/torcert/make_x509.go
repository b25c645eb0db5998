package torcert

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base32"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"
)

// identityLifetime is for how long the certificate of an RSA identity is made.
const identityLifetime = 365 * 24 * time.Hour

// makeX509 makes a certificate as C tor does (tor_tls_create_certificate): invented names, no extensions.
func makeX509(random io.Reader, name, issuer string, pub crypto.PublicKey, signer *rsa.PrivateKey, now time.Time, lifetime time.Duration) ([]byte, error) {
	var serial [8]byte
	if _, err := io.ReadFull(random, serial[:]); err != nil {
		return nil, fmt.Errorf("X.509 certificate: %w", err)
	}
	lifetime = max(lifetime, minLifetime)
	from, err := startOf(random, now, lifetime)
	if err != nil {
		return nil, fmt.Errorf("X.509 certificate: %w", err)
	}
	subject, err := commonName(name)
	if err != nil {
		return nil, err
	}
	issued, err := commonName(issuer)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:       new(big.Int).SetBytes(serial[:]),
		RawSubject:         subject,
		NotBefore:          from,
		NotAfter:           from.Add(lifetime),
		SignatureAlgorithm: x509.SHA256WithRSA,
	}
	parent := &x509.Certificate{RawSubject: issued, PublicKey: &signer.PublicKey}
	der, err := x509.CreateCertificate(random, template, parent, pub, signer)
	if err != nil {
		return nil, fmt.Errorf("X.509 certificate: %w", err)
	}
	return der, nil
}

// commonName encodes a name as OpenSSL does, in a UTF8String; the standard library would choose a PrintableString, and
// certificates are to be seen on the wire in TLS 1.2.
func commonName(name string) ([]byte, error) {
	value := asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(name)}
	der, err := asn1.Marshal(pkix.RDNSequence{{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value}}})
	if err != nil {
		return nil, fmt.Errorf("common name: %w", err)
	}
	return der, nil
}

// minLifetime is the least for which a certificate can be made.
const minLifetime = 48 * time.Hour

// startOf chooses when a certificate shall have begun to be valid: at the start of a day, so far in the past that at
// least a day is left of its lifetime.
func startOf(random io.Reader, now time.Time, lifetime time.Duration) (time.Time, error) {
	back, err := rand.Int(random, big.NewInt(int64(lifetime-minLifetime)+1))
	if err != nil {
		return time.Time{}, err
	}
	return now.Add(-time.Duration(back.Int64())).Truncate(24 * time.Hour).UTC(), nil
}

// hostname invents a host name, as if some web server were behind it.
func hostname(random io.Reader, suffix string) (string, error) {
	length, err := rand.Int(random, big.NewInt(13)) // 8 to 20 letters
	if err != nil {
		return "", fmt.Errorf("host name: %w", err)
	}
	var b [20]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("host name: %w", err)
	}
	letters := strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
	return "www." + letters[:8+length.Int64()] + suffix, nil
}
