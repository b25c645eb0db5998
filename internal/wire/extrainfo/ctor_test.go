package extrainfo_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/extrainfo/extrainfotest"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// TestCTorTakesOurs publishes a document at an authority of C tor, which then must give it out.
func TestCTorTakesOurs(t *testing.T) {
	if testing.Short() {
		t.Skip("runs C tor")
	}
	ctor.Require(t, "tor", "tor-gencert")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dirPort := authority(ctx, t)
	desc, extra := extrainfotest.New("ours").Publish(time.Now().UTC().Truncate(time.Second))
	d, err := extrainfo.Parse(extra)
	if err != nil {
		t.Fatal(err)
	}
	if status, text := do(ctx, t, "POST", dirPort, "/tor/", append(desc, extra...)); status != http.StatusOK {
		t.Fatalf("upload: %d %s", status, text)
	}
	status, text := do(ctx, t, "GET", dirPort, fmt.Sprintf("/tor/extra/d/%X", d.Digest), nil)
	if status != http.StatusOK || !bytes.Equal(text, extra) {
		t.Errorf("from the authority: %d\n%s", status, text)
	}
}

func do(ctx context.Context, t *testing.T, method, addr, path string, body []byte) (status int, text []byte) {
	t.Helper()
	q, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if text, err = io.ReadAll(r.Body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, text
}

// authority runs an authority that is alone in its network, and returns the address of its DirPort.
func authority(ctx context.Context, t *testing.T) (dirPort string) {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	gencert, err := ctor.Find("tor-gencert")
	must(err)
	v3, err := ctor.Gencert(ctx, gencert, dir)
	must(err)
	key, err := rsa.GenerateKey(rand.Reader, rsakey.RelayBits)
	must(err)
	must(os.WriteFile(filepath.Join(ctor.DataDir(dir), "keys", "secret_id_key"), pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key),
	}), 0o600))
	orPort, dirPort := freePort(t), freePort(t)
	_, port, _ := net.SplitHostPort(orPort)
	torrc := ctor.Torrc{
		"TestingTorNetwork 1", "Address 127.0.0.1", "SocksPort 0", "ORPort " + orPort, "DirPort " + dirPort, "Nickname auth",
		"ContactInfo nobody", "AuthoritativeDirectory 1", "V3AuthoritativeDirectory 1", "AssumeReachable 1", "ExitRelay 0",
		fmt.Sprintf("DirAuthority auth orport=%s v3ident=%s %s %X", port, v3, dirPort, rsakey.Fingerprint(&key.PublicKey)),
	}
	bin, err := ctor.Find("tor")
	must(err)
	p, err := ctor.Start(ctor.Config{Name: "auth", Bin: bin, Dir: dir, Torrc: torrc})
	must(err)
	t.Cleanup(p.Kill)
	_, err = p.Wait(ctx, regexp.MustCompile("Opened Directory listener"))
	must(err)
	return dirPort
}

// freePort returns an address of loopback on which nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
