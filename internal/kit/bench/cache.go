package bench

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/lib/statefile"
	"github.com/tropea-net/tropea/internal/netstate/dirstore"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/consensus/consensustest"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

const (
	// closedPort is where all relays and authorities of the made-up directory listen, as far as the client knows. Nothing
	// does.
	closedPort = 1
	certLife   = 365 * 24 * time.Hour
)

// writeCache fills a DataDirectory with a live consensus and its microdescriptors, signed by made-up authorities, and
// returns the torrc of a client that trusts them. All addresses are on loopback, whatever the client tries to reach.
func writeCache(dataDir string, relays int) (ctor.Torrc, error) {
	now := time.Now().UTC()
	n := consensustest.New(consensustest.Options{
		Relays: relays, Flavor: consensus.Microdesc, ValidAfter: now.Truncate(time.Hour), Authorities: consensustest.Authorities(consensustest.MaxAuthorities),
	})
	moveToLoopback(n.Consensus)
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, err
	}
	files, err := statefile.Open(slog.New(slog.DiscardHandler), dataDir, statefile.Options{})
	if err != nil {
		return nil, err
	}
	defer files.Close()
	store := dirstore.Store{Files: files}
	var certs []byte
	var torrc ctor.Torrc
	for i := range n.Authorities {
		a := &n.Authorities[i]
		certs = append(certs, a.Cert(now.Add(-time.Hour), now.Add(certLife))...)
		torrc.Add("DirAuthority", a.Nickname, fmt.Sprint("orport=", closedPort), "no-v2", fmt.Sprintf("v3ident=%X", a.ID()),
			fmt.Sprint(loopback, ":", closedPort), fmt.Sprintf("%040X", i+1))
	}
	torrc.Add("ExtendAllowPrivateAddresses", "1") // else C tor keeps away from loopback
	torrc.Add("SocksPort", "auto")
	torrc.Add("Log", "notice", "stdout")
	var mds []microdesc.Entry
	for _, text := range n.Microdescs {
		mds = append(mds, microdesc.Entry{Text: text, LastListed: n.Consensus.ValidAfter})
	}
	if err := store.Write(dirstore.FileCerts, certs); err != nil {
		return nil, err
	}
	if err := store.Write(dirstore.FileConsensus, consensustest.Sign(n.Consensus, n.Authorities)); err != nil {
		return nil, err
	}
	if err := store.AddMicrodescs(mds); err != nil {
		return nil, err
	}
	return torrc, store.RebuildMicrodescs(func(_ []byte, listed time.Time) (time.Time, bool) { return listed, true })
}

// moveToLoopback gives each relay an address in 127.0.0.0/8 where nothing listens, spread over the networks that path
// selection tells apart.
func moveToLoopback(c *consensus.Consensus) {
	for i := range c.Relays {
		r := &c.Relays[i]
		r.Addr4 = netip.AddrFrom4([4]byte{127, byte(i), byte(i >> 8), 2}).As4()
		r.ORPort = closedPort
		r.Addr6, r.ORPort6 = [16]byte{}, 0
	}
}
