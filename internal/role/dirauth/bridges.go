package dirauth

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/role/dirauth/flags"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// BridgeConfig is what makes the opinion of a bridge authority, besides bridges themselves.
type BridgeConfig struct {
	Flags        flags.Config      // but for Params and Uptime
	Start        time.Time         // of this process
	Trusted      map[[20]byte]bool // RSA identities of all authorities
	AllowPrivate bool

	// Bridges lists all bridges whose descriptors were taken, in the order of their fingerprints.
	Bridges func() []Relay
	// Live is as in Config.
	Live func() *consensus.Consensus
}

// Bridges makes up what we think of bridges. Its methods are safe for concurrent use.
type Bridges struct {
	cfg    BridgeConfig
	reach  *Reachability
	memory *Memory
}

// NewBridges returns what makes up our opinions.
func NewBridges(cfg BridgeConfig, reach *Reachability, memory *Memory) *Bridges {
	return &Bridges{cfg: cfg, reach: reach, memory: memory}
}

// File is the text of the file networkstatus-bridges, which tells others what we think. rsa is our fingerprint.
//
//	published 2026-11-27 00:22:11
//	flag-thresholds stable-uptime=0 stable-mtbf=0 …
//	fingerprint 0011223344556677889900112233445566778899
//	r bridge1 … (and so on: see List)
//
// C tor: bridgeauth_dump_bridge_status_to_file.
func (b *Bridges) File(rsa [20]byte, now time.Time) []byte {
	decided, entries := b.decide(now)
	head := fmt.Appendf(nil, "published %s\nflag-thresholds %s\nfingerprint %X\n", now.UTC().Format(netdoc.TimeLayout), decided.Thresholds, rsa)
	return append(head, entries...)
}

// List is what we think of each bridge, as a consensus of C tor's control port has relays:
//
//	r bridge1 fXyg… ZmFr… 2026-11-27 00:20:01 192.0.2.1 443 0
//	a [2001:db8::1]:443
//	s Running V2Dir Valid
//	w Bandwidth=100
//	p reject 1-65535
//
// Unlike C tor's, which finds out every half an hour who runs, it is up to date.
//
// C tor: networkstatus_getinfo_by_purpose.
func (b *Bridges) List(now time.Time) []byte {
	_, entries := b.decide(now)
	return entries
}

func (b *Bridges) decide(now time.Time) (decided flags.Vote, entries []byte) {
	cfg := &b.cfg
	fc := cfg.Flags
	fc.Uptime = now.Sub(cfg.Start)
	if c := cfg.Live(); c != nil {
		fc.Params = c.Params
	}
	bridges := cfg.Bridges()
	facts := make([]flags.Relay, len(bridges))
	for i, r := range bridges {
		f := flags.FromDescriptor(r.Descriptor, cfg.AllowPrivate)
		f.Status, f.Trusted = r.Status, cfg.Trusted[r.RSA]
		f.Reached, f.Reached6 = b.reach.When(r.RSA)
		facts[i] = f
	}
	decided = b.memory.decideBridges(&fc, facts, now)
	names := &consensus.Consensus{KnownFlags: decided.KnownFlags}
	for i := range bridges {
		if o := &decided.Relays[i]; o.Listed {
			entries = appendBridge(entries, &bridges[i], facts[i].AdvertisedKB(), names.Names(o.Flags))
		}
	}
	return decided, entries
}

// appendBridge appends the entry of a bridge (routerstatus_format_entry in C tor).
func appendBridge(dst []byte, r *Relay, kb uint32, flags []string) []byte {
	b64 := base64.RawStdEncoding.EncodeToString
	dst = fmt.Appendf(dst, "r %s %s %s %s %s %d %d\n", r.Nickname, b64(r.RSA[:]), b64(r.Digest[:]),
		r.Published.UTC().Format(netdoc.TimeLayout), r.OR.Addr(), r.OR.Port(), r.DirPort)
	if r.OR6.IsValid() {
		dst = fmt.Appendf(dst, "a %s\n", r.OR6)
	}
	return fmt.Appendf(dst, "%s\nw Bandwidth=%d\np %s\n", strings.Join(append([]string{"s"}, flags...), " "), kb, r.Policy.Summarize(false))
}
