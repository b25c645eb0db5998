package bench

import (
	"crypto/sha256"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

// TestWriteCache reads the made-up directory back: complete, signed, and with no address that is not on loopback.
func TestWriteCache(t *testing.T) {
	const relays = 50
	dir := t.TempDir()
	torrc, err := writeCache(dir, relays)
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) []byte {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	c, err := consensus.Parse(file(dirstore.FileConsensus))
	if err != nil {
		t.Fatal(err)
	}
	authorities := consensustest.Authorities(consensustest.MaxAuthorities)
	if v := c.Verify(consensustest.Keyring(authorities)); v.Result != consensus.Good {
		t.Errorf("%+v", v)
	}
	listed := map[[32]byte]bool{}
	for i := range c.Relays {
		r := &c.Relays[i]
		listed[r.Digest] = true
		if a := netip.AddrFrom4(r.Addr4); !a.IsLoopback() || r.Addr6 != [16]byte{} {
			t.Errorf("relay %d is at %v, %v", i, a, netip.AddrFrom16(r.Addr6))
		}
	}
	for md := range microdesc.Split(file(dirstore.FileMicrodescs)) {
		if !md.LastListed.Equal(c.ValidAfter) {
			t.Errorf("microdescriptor was listed at %v, want %v", md.LastListed, c.ValidAfter)
		}
		delete(listed, sha256.Sum256(md.Text))
	}
	if len(c.Relays) != relays || len(listed) > 0 {
		t.Errorf("%d relays, want %d; %d without a microdescriptor", len(c.Relays), relays, len(listed))
	}
	certs := 0
	for text := range authcert.Split(file(dirstore.FileCerts)) {
		if _, err := authcert.Parse(text); err != nil {
			t.Error(err)
		}
		certs++
	}
	trusted := slices.DeleteFunc(slices.Clone(torrc), func(line string) bool { return !strings.HasPrefix(line, "DirAuthority ") })
	if certs != len(authorities) || len(trusted) != len(authorities) {
		t.Errorf("%d certificates and %d DirAuthority lines, want %d", certs, len(trusted), len(authorities))
	}
}
