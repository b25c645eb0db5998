package keyfile

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/wire/onionaddr"
)

func authorizedClient(b []byte) ([]byte, error) {
	pub, err := ParseAuthorizedClient(b)
	if err != nil {
		return nil, err
	}
	return AppendAuthorizedClient(nil, pub)
}

func clientAuth(b []byte) ([]byte, error) {
	a, err := ParseClientAuth(b)
	if err != nil {
		return nil, err
	}
	return a.AppendTo(nil)
}

func hostname(b []byte) ([]byte, error) {
	a, err := ParseHostname(b)
	if err != nil {
		return nil, err
	}
	return AppendHostname(nil, a)
}

// Files of an onion service of C tor, and of a client of it (ONION_CLIENT_AUTH_ADD with Flags=Permanent), come out as they were.
// C tor writes no file like alice.auth, but has read this one.
func TestOnionServiceFiles(t *testing.T) {
	for name, c := range map[string]codec{
		"hs_ed25519_secret_key": edSecret(TagMaster), "hs_ed25519_public_key": edPublic, "hostname": hostname,
		"alice.auth": authorizedClient, "client.auth_private": clientAuth,
	} {
		file := ctorFile(t, name)
		if got, err := c(file); err != nil || !bytes.Equal(got, file) {
			t.Errorf("%s: got %q, error %v, want %q", name, got, err, file)
		}
	}
	k, err := ParseEdSecret(ctorFile(t, "hs_ed25519_secret_key"), TagMaster)
	pub, err2 := ParseEdPublic(ctorFile(t, "hs_ed25519_public_key"), TagMaster)
	addr, err3 := ParseHostname(ctorFile(t, "hostname"))
	if err := errors.Join(err, err2, err3); err != nil || k.ID() != pub || pub != addr {
		t.Errorf("secret of %v, public key %x, name %v, error %v", k, pub, addr, err)
	}
	expanded, err := k.Expanded()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := EdFromExpanded(&expanded); err != nil || again.ID() != k.ID() {
		t.Errorf("expanded and back: %v, error %v", again, err)
	}
	a, err := ParseClientAuth(ctorFile(t, "client.auth_private"))
	if err != nil {
		t.Fatal(err)
	}
	client, err := ParseAuthorizedClient(ctorFile(t, "alice.auth"))
	if err != nil || a.Public() != client {
		t.Errorf("client has %x, service %x, error %v", a.Public(), client, err)
	}
	secret := a.Secret()
	for _, format := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
		for _, v := range []any{a, *a, struct{ A *ClientAuth }{a}} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, hex.EncodeToString(secret[:])) || strings.Contains(s, "144 242") {
				t.Errorf("%s prints the secret: %s", format, s)
			}
		}
	}
}

// C tor's parse_authorized_client and parse_auth_file_content.
func TestAuthFiles(t *testing.T) {
	const key = "n5sqs5m5atnxt2bpqawlxhaoz5d3c3x4qpdprhyf4ro4gmvhqn5a"
	addr := strings.TrimSpace(strings.TrimSuffix(string(ctorFile(t, "hostname")), ".onion\n"))
	zero := strings.Repeat("a", 52)
	for _, tt := range []struct {
		name string
		c    codec
		file string
		want error
	}{
		{"service: no newline", authorizedClient, "descriptor:x25519:" + key, nil},
		{"service: space around fields", authorizedClient, " descriptor\t: x25519 :\r\n" + key + " \n\n", nil},
		{"service: upper case", authorizedClient, "descriptor:x25519:" + strings.ToUpper(key), nil},
		{"service: empty", authorizedClient, "", ErrFormat},
		{"service: too long", authorizedClient, "descriptor:x25519:" + key + strings.Repeat(" ", maxAuth), ErrLength},
		{"service: two fields", authorizedClient, "descriptor:" + key, ErrFormat},
		{"service: four fields", authorizedClient, "descriptor:x25519:" + key + ":", ErrFormat},
		{"service: comment", authorizedClient, "# me\ndescriptor:x25519:" + key, ErrType},
		{"service: upper-case kind", authorizedClient, "DESCRIPTOR:x25519:" + key, ErrType},
		{"service: other kind", authorizedClient, "standard:x25519:" + key, ErrType},
		{"service: other key", authorizedClient, "descriptor:x448:" + key, ErrType},
		{"service: short key", authorizedClient, "descriptor:x25519:" + key[1:], ErrLength},
		{"service: padded key", authorizedClient, "descriptor:x25519:" + key + "====", ErrLength},
		{"service: no base32", authorizedClient, "descriptor:x25519:1" + key[1:], ErrFormat},
		{"service: newline inside", authorizedClient, "descriptor:x25519:" + key[:51] + "\nx", ErrLength},
		{"service: newline in place of a digit", authorizedClient, "descriptor:x25519:" + key[:20] + "\n" + key[21:], ErrFormat},
		{"service: NUL", authorizedClient, "descriptor:x25519:" + key + "\x00", ErrLength},
		{"service: zero key", authorizedClient, "descriptor:x25519:" + zero, ErrKey},

		{"client: newline", clientAuth, addr + ":descriptor:x25519:" + key + "\n", nil},
		{"client: with .onion", clientAuth, addr + ".onion:descriptor:x25519:" + key, nil},
		{"client: wrong checksum", clientAuth, "aaaa" + addr[4:] + ":descriptor:x25519:" + key, nil},
		{"client: upper case", clientAuth, strings.ToUpper(addr) + ":descriptor:x25519:" + key, nil},
		{"client: file of a service", clientAuth, "descriptor:x25519:" + key, ErrFormat},
		{"client: short address", clientAuth, addr[1:] + ":descriptor:x25519:" + key, onionaddr.ErrFormat},
		{"client: no address", clientAuth, ":descriptor:x25519:" + key, onionaddr.ErrFormat},
		{"client: no base32 in the address", clientAuth, "0" + addr[1:] + ":descriptor:x25519:" + key, onionaddr.ErrFormat},
		{"client: other kind", clientAuth, addr + ":standard:x25519:" + key, ErrType},
		{"client: zero key", clientAuth, addr + ":descriptor:x25519:" + zero, ErrKey},

		{"hostname without newline", hostname, addr + ".onion", nil},
		{"hostname without .onion", hostname, addr, onionaddr.ErrFormat},
		{"hostname of two lines", hostname, addr + ".onion\n" + addr + ".onion\n", onionaddr.ErrFormat},
		{"long hostname", hostname, strings.Repeat(" ", 200) + addr + ".onion", ErrLength},
	} {
		if got, err := tt.c([]byte(tt.file)); !errors.Is(err, tt.want) || (got == nil) != (err != nil) {
			t.Errorf("%s: got %q, error %v, want %v", tt.name, got, err, tt.want)
		}
	}
	if _, err := NewClientAuth(onionaddr.Address{}, [32]byte{}); !errors.Is(err, ErrKey) {
		t.Errorf("zero secret: error %v", err)
	}
}

func FuzzParseAuthorizedClient(f *testing.F) { fuzz(f, authorizedClient, "alice.auth") }
func FuzzParseClientAuth(f *testing.F)       { fuzz(f, clientAuth, "client.auth_private") }
func FuzzParseHostname(f *testing.F)         { fuzz(f, hostname, "hostname") }
