package keyfile

import (
	"bytes"
	"crypto/ecdh"
	"encoding/base32"
	"fmt"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

// Files in the directory of an onion service, HiddenServiceDir.
const (
	ServiceSecretFile     = "hs_ed25519_secret_key"
	ServicePublicFile     = "hs_ed25519_public_key"
	ServiceHostnameFile   = "hostname"
	ServiceClientsDir     = "authorized_clients"
	ServiceOnionBalancing = "ob_config"
)

// How the names of files end that C tor reads in directories for clients of onion services. It ignores others.
const (
	AuthorizedClientSuffix = ".auth"         // in authorized_clients, at the service
	ClientAuthSuffix       = ".auth_private" // in ClientOnionAuthDir, at the client
)

// maxAuth bounds these files, in bytes: an address and 52 digits are the longest.
const maxAuth = 1 << 10

const (
	authDescriptor = "descriptor"
	authX25519     = "x25519"
)

var b32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ParseAuthorizedClient parses the file with the X25519 key of a client that a service lets in: "descriptor:x25519:<key>", the
// key in base32.
//
// https://spec.torproject.org/rend-spec/client-auth-mgt.html
func ParseAuthorizedClient(b []byte) (pub [32]byte, err error) {
	fields, err := authFields(b, 3)
	if err == nil {
		pub, err = authKey(fields)
	}
	if err != nil {
		return [32]byte{}, fmt.Errorf("authorized client: %w", err)
	}
	return pub, nil
}

// AppendAuthorizedClient appends the file with the key of a client to dst.
func AppendAuthorizedClient(dst []byte, pub [32]byte) ([]byte, error) {
	dst = append(dst, authDescriptor+":"+authX25519+":"...)
	return append(b32.AppendEncode(dst, pub[:]), '\n'), nil
}

// authFields splits a file at its colons. Space around a field is nothing, as in C tor.
func authFields(b []byte, n int) ([][]byte, error) {
	if len(b) > maxAuth {
		return nil, fmt.Errorf("%d bytes: %w", len(b), ErrLength)
	}
	fields := bytes.Split(b, []byte(":"))
	if len(fields) != n {
		return nil, fmt.Errorf("%d fields instead of %d: %w", len(fields), n, ErrFormat)
	}
	for i := range fields {
		fields[i] = bytes.Trim(fields[i], " \t\n\v\f\r")
	}
	return fields, nil
}

// authKey reads the last three fields.
func authKey(fields [][]byte) (key [32]byte, err error) {
	fields = fields[len(fields)-3:]
	if string(fields[0]) != authDescriptor || string(fields[1]) != authX25519 {
		return key, fmt.Errorf("kind of authorization: %w", ErrType)
	}
	if len(fields[2]) != b32.EncodedLen(len(key)) {
		return key, fmt.Errorf("key of %d digits: %w", len(fields[2]), ErrLength)
	}
	digits := bytes.ToLower(fields[2])
	defer clear(digits)
	out := make([]byte, len(key))
	defer clear(out)
	// A line end inside is nothing to package base32, and then there are too few digits.
	if n, err := b32.Decode(out, digits); err != nil || n != len(key) {
		return key, fmt.Errorf("key: base32: %w", ErrFormat)
	}
	if key = [32]byte(out); key == [32]byte{} {
		return key, fmt.Errorf("zero key: %w", ErrKey)
	}
	return key, nil
}

// A ClientAuth is the secret X25519 key with which a client reads the descriptors of a service that does not let everybody in.
type ClientAuth struct {
	// Service is the identity key of the service. C tor looks at nothing else in an address here, so it need not be one that
	// package onionaddr would let through.
	Service onionaddr.Address

	pub [32]byte
	get func() [32]byte // a func, since fmt walks into the unexported fields of structs that hold a ClientAuth
}

// NewClientAuth makes a ClientAuth of a secret, which must not be zero.
func NewClientAuth(service onionaddr.Address, secret [32]byte) (*ClientAuth, error) {
	key, err := ecdh.X25519().NewPrivateKey(secret[:])
	if err != nil || secret == [32]byte{} {
		return nil, ErrKey
	}
	return &ClientAuth{service, [32]byte(key.PublicKey().Bytes()), func() [32]byte { return secret }}, nil
}

// ParseClientAuth parses the file of a client: "<address>:descriptor:x25519:<key>", the address without ".onion" and the
// secret key in base32. What follows the 56 characters of an address is ignored.
//
// https://spec.torproject.org/rend-spec/client-auth-mgt.html
func ParseClientAuth(b []byte) (*ClientAuth, error) {
	fields, err := authFields(b, 4)
	if err != nil {
		return nil, fmt.Errorf("client authorization: %w", err)
	}
	label := fields[0][:min(len(fields[0]), onionaddr.Len)]
	service, err := onionaddr.ParseUnchecked(string(label))
	if err != nil {
		return nil, fmt.Errorf("client authorization: %w", err)
	}
	secret, err := authKey(fields)
	if err != nil {
		return nil, fmt.Errorf("client authorization: %w", err)
	}
	return NewClientAuth(service, secret)
}

// AppendTo appends the file to dst.
func (a *ClientAuth) AppendTo(dst []byte) ([]byte, error) {
	secret := a.get()
	defer clear(secret[:])
	dst = append(dst, a.Service.Label()+":"+authDescriptor+":"+authX25519+":"...)
	return b32.AppendEncode(dst, secret[:]), nil
}

// Public returns the public key, which the service has to know.
func (a *ClientAuth) Public() [32]byte { return a.pub }

// Secret returns the secret for use. Do not print it.
func (a *ClientAuth) Secret() [32]byte { return a.get() }

// Format prints the public key alone, whatever the verb.
func (a ClientAuth) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "x25519:%x", a.pub) }

// ParseHostname parses the file "hostname" of an onion service.
func ParseHostname(b []byte) (onionaddr.Address, error) {
	if len(b) > maxLine {
		return onionaddr.Address{}, fmt.Errorf("hostname of %d bytes: %w", len(b), ErrLength)
	}
	return onionaddr.Parse(strings.TrimSpace(string(b)))
}

// AppendHostname appends the file "hostname" to dst.
func AppendHostname(dst []byte, a onionaddr.Address) ([]byte, error) {
	return append(dst, a.String()+"\n"...), nil
}
