package simnet

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/server"
	"github.com/tropea-net/tropea/internal/client/dirsync"
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/netstate/trusteddirs"
	"github.com/tropea-net/tropea/internal/role/dirauth"
	"github.com/tropea-net/tropea/internal/role/dirauth/admit"
	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/role/exit/resolver"
	"github.com/tropea-net/tropea/internal/role/publish"
	"github.com/tropea-net/tropea/internal/role/relaykeys"
	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/torrc"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// certLifetime is for how long certificates of authorities are good.
const certLifetime = 365 * 24 * time.Hour

// PatientExits has exits wait for names longer than the second that is usual, for networks on machines that are busy with other
// things, too.
var PatientExits = params.List{{Name: "exit_dns_timeout", Value: 30_000}} // milliseconds

// authorityKeys adds the files with the keys of an authority.
func (n *Node) authorityKeys(files map[string][]byte) {
	k := n.net.keys[n.index]
	files["keys/authority_signing_key"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.Signing)})
	files["keys/authority_certificate"] = k.Cert(n.net.born.Add(-24*time.Hour), n.net.born.Add(certLifetime))
}

// clientConfig is what a client is made of, that of a relay too.
func (n *Node) clientConfig(e env.Env) *client.Config {
	cfg := &client.Config{
		Env: e, Authorities: n.net.dirs, Security: n.net.security, AllowInternal: true, AllowPrivate: true,
		Padding: client.PadNone, Testing: n.net.Testing(),
	}
	// All nodes are on one address there.
	cfg.Select.SharedSubnets = n.net.mem == nil
	if n.net.cfg.Padding {
		cfg.Padding = client.PadFull
	}
	if !n.net.slow() {
		// Networks that vote every few seconds leave no time to be polite.
		cfg.Schedule = dirsync.Schedule{Early: true, AuthorityDelay: time.Second}
	}
	return cfg
}

// serverConfig is what a relay is made of.
func (n *Node) serverConfig(e env.Env) *server.Config {
	cfg := &server.Config{
		Env: e, Security: n.net.security, DirCache: true, Diffs: 1, ExtendPrivate: true,
		Keys:    relaykeys.Config{Nickname: n.Name, NewRSA: sharedRSA},
		Version: client.CompatVersion, Authorities: uploads(n.net.dirs), Trusted: targets(n.net.dirs),
		Info: publish.Info{
			Nickname: n.Name, Addrs: []netip.Addr{n.or.Addr()}, Port: n.or.Port(), Private: true, Publish: true, AssumeIPv4: true, AssumeIPv6: true,
			Rate: 1 << 30, Burst: 1 << 30,
		},
		Interfaces: func() ([]netip.Addr, error) { return []netip.Addr{n.or.Addr()}, nil },
		Exit:       server.Exit{Net: n.net.cfg.ExitNet, DNS: resolver.Config{NoHijackTest: true, TestAddresses: []string{}}},
	}
	if n.net.cfg.Padding {
		cfg.Padding = link.DefaultPadding
	}
	if n.net.slow() {
		cfg.CountInterval, cfg.LeanCache = time.Minute, true
	}
	if n.Role == Exit {
		cfg.Exit.Policy = exitpolicy.Config{Rules: acceptAll}
	}
	if n.Role == Authority {
		cfg.Authority = n.authorityConfig()
	}
	return cfg
}

var acceptAll = must(parsePolicy("accept *:*"))

func parsePolicy(text string) (exitpolicy.Policy, error) {
	p, _, err := exitpolicy.ParseList(text, exitpolicy.BareReject)
	return p, err
}

// authorityConfig is what makes a relay an authority. All relays get their flags at once, and in spite of their speed, as long as
// they can be reached.
func (n *Node) authorityConfig() *server.Authority {
	all := flags.Forced{Set: must(torrc.ParseNodeSet("*"))}
	a := &server.Authority{
		Timing: n.net.timing, Initial: n.net.timing, MinInterval: vote.MinIntervalTesting, Intervals: 3,
		Random: true, Params: n.net.cfg.Params, AllowPrivate: true, TestEd25519: true,
		Admit:      admit.Config{PinKeys: true, AllowPrivate: true},
		Bandwidths: n.net.bandwidths,
		Flags: flags.Config{
			Testing: true, TestReachability: true, FastGuarantee: 500, GuardBWGuarantee: 500, StableGuaranteeMinUptime: time.Second,
			StableGuaranteeMTBF: time.Second, TestingVoteGuard: all, TestingVoteHSDir: all,
		},
	}
	if n.net.slow() {
		a.Flags.TestCycle = n.net.cfg.Interval
	}
	for _, d := range n.net.dirs {
		a.Voters = append(a.Voters, dirauth.Voter{Nickname: d.Nickname, V3Ident: d.V3Ident, Dirs: []netip.AddrPort{d.DirPort}})
	}
	return a
}

// bandwidths is a bandwidth file that gives all relays the same: else what they have carried so far would decide who is used.
func (n *Net) bandwidths() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintln(&b, time.Now().Unix())
	for _, node := range n.Nodes(Authority, Relay, Exit) {
		fmt.Fprintf(&b, "node_id=$%X bw=1000\n", node.Fingerprint())
	}
	return b.Bytes(), nil
}

// uploads lists the authorities that take descriptors.
func uploads(list []trusteddirs.Authority) (to []publish.Authority) {
	for _, a := range list {
		to = append(to, publish.Authority{Name: a.Nickname, Dir: []netip.AddrPort{a.DirPort}})
	}
	return to
}

func targets(list []trusteddirs.Authority) (to []link.Target) {
	for _, a := range list {
		to = append(to, link.Target{RSA: a.Fingerprint, HasRSA: true, Addrs: []netip.AddrPort{a.Addr}})
	}
	return to
}
