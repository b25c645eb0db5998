package consensus

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// The items of the header.
const (
	itemVersion = iota
	itemStatus
	itemMethod
	itemValidAfter
	itemFreshUntil
	itemValidUntil
	itemVotingDelay
	itemClientVersions
	itemServerVersions
	itemPackage
	itemKnownFlags
	itemRecommendedClient
	itemRecommendedRelay
	itemRequiredClient
	itemRequiredRelay
	itemParams
	itemPreviousSRV
	itemCurrentSRV
	itemDirSource
	itemContact
	itemVoteDigest
)

var headerSchema = netdoc.NewSchema([]netdoc.Rule{
	itemVersion:           {Keyword: "network-status-version", Min: 1, Max: 1, MinArgs: 1, Place: netdoc.First},
	itemStatus:            {Keyword: "vote-status", Min: 1, Max: 1, MinArgs: 1},
	itemMethod:            {Keyword: "consensus-method", Max: 1, MinArgs: 1},
	itemValidAfter:        {Keyword: "valid-after", Min: 1, Max: 1, MinArgs: 2},
	itemFreshUntil:        {Keyword: "fresh-until", Min: 1, Max: 1, MinArgs: 2},
	itemValidUntil:        {Keyword: "valid-until", Min: 1, Max: 1, MinArgs: 2},
	itemVotingDelay:       {Keyword: "voting-delay", Min: 1, Max: 1, MinArgs: 2},
	itemClientVersions:    {Keyword: "client-versions", Max: 1},
	itemServerVersions:    {Keyword: "server-versions", Max: 1},
	itemPackage:           {Keyword: "package", Max: netdoc.Any},
	itemKnownFlags:        {Keyword: "known-flags", Min: 1, Max: 1},
	itemRecommendedClient: {Keyword: "recommended-client-protocols", Max: 1},
	itemRecommendedRelay:  {Keyword: "recommended-relay-protocols", Max: 1},
	itemRequiredClient:    {Keyword: "required-client-protocols", Max: 1},
	itemRequiredRelay:     {Keyword: "required-relay-protocols", Max: 1},
	itemParams:            {Keyword: "params", Max: 1},
	itemPreviousSRV:       {Keyword: "shared-rand-previous-value", Max: 1, MinArgs: 2},
	itemCurrentSRV:        {Keyword: "shared-rand-current-value", Max: 1, MinArgs: 2},
	itemDirSource:         {Keyword: "dir-source", Min: 1, Max: maxDirSources, MinArgs: 6},
	itemContact:           {Keyword: "contact", Min: 1, Max: netdoc.Any},
	itemVoteDigest:        {Keyword: "vote-digest", Min: 1, Max: netdoc.Any, MinArgs: 1},
}...)

// parseHeader reads up to the first entry or the footer.
func (p *parser) parseHeader() error {
	check := headerSchema.NewChecker()
	for ; p.more && !endsPart(p.s.Item()); p.next() {
		it := p.s.Item()
		rule, err := check.Item(it)
		if err == nil {
			err = p.headerItem(rule, it)
		}
		if err != nil {
			return it.Wrap(err)
		}
	}
	if p.s.Err() != nil {
		return p.s.Err()
	}
	if err := check.End(); err != nil {
		return err
	}
	c := p.c
	if !c.ValidAfter.Before(c.FreshUntil) || !c.FreshUntil.Before(c.ValidUntil) {
		return fmt.Errorf("valid-after, fresh-until, valid-until: %w", ErrTimes)
	}
	return nil
}

// endsPart tells the items before which the header or an entry ends.
func endsPart(it *netdoc.Item) bool {
	return it.Is("r") || it.Is("directory-footer") || it.Is(signatureKeyword)
}

func (p *parser) headerItem(rule int, it *netdoc.Item) (err error) {
	c, args := p.c, it.Args
	switch rule {
	case itemVersion:
		return c.setFlavor(args)
	case itemStatus:
		if string(args.Next()) != "consensus" {
			return ErrNoConsensus
		}
	case itemMethod:
		var n uint64
		n, err = netdoc.ParseUint(args.Next(), math.MaxInt32)
		c.Method = int(n)
	case itemValidAfter:
		c.ValidAfter, err = args.Time()
	case itemFreshUntil:
		c.FreshUntil, err = args.Time()
	case itemValidUntil:
		c.ValidUntil, err = args.Time()
	case itemVotingDelay:
		if c.VoteDelay, err = ParseSeconds(args.Next()); err == nil {
			c.DistDelay, err = ParseSeconds(args.Next())
		}
	case itemClientVersions:
		c.ClientVersions = splitVersions(args)
	case itemServerVersions:
		c.ServerVersions = splitVersions(args)
	case itemPackage:
		c.Packages = append(c.Packages, string(args))
	case itemKnownFlags:
		return p.setKnownFlags(args)
	case itemRecommendedClient:
		c.RecommendedClient, err = protover.Parse(args)
	case itemRecommendedRelay:
		c.RecommendedRelay, err = protover.Parse(args)
	case itemRequiredClient:
		c.RequiredClient, err = protover.Parse(args)
	case itemRequiredRelay:
		c.RequiredRelay, err = protover.Parse(args)
	case itemParams:
		c.Params, err = params.Parse(args)
	case itemPreviousSRV:
		c.PreviousSRV, err = ParseSRV(args)
	case itemCurrentSRV:
		c.CurrentSRV, err = ParseSRV(args)
	default:
		return c.sourceItem(rule, it)
	}
	return err
}

func (c *Consensus) setFlavor(args netdoc.Args) error {
	if string(args.Next()) != "3" {
		return ErrNoConsensus
	}
	switch string(args.Next()) {
	case "", "ns":
		c.Flavor = NS
	case "microdesc":
		c.Flavor = Microdesc
	default:
		return ErrFlavor
	}
	return nil
}

// ParseSeconds reads a delay.
func ParseSeconds(b []byte) (time.Duration, error) {
	n, err := netdoc.ParseUint(b, math.MaxInt32)
	return time.Duration(n) * time.Second, err
}

// splitVersions splits a list at commas; an empty list has no versions.
func splitVersions(args netdoc.Args) []string {
	text := string(args.Trimmed())
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

func (p *parser) setKnownFlags(args netdoc.Args) error {
	c := p.c
	for arg := args.Next(); arg != nil; arg = args.Next() {
		if n := len(c.KnownFlags); n == maxFlags {
			return netdoc.ErrTooMany
		} else if n > 0 && c.KnownFlags[n-1] >= string(arg) {
			return ErrOrder
		}
		c.KnownFlags = append(c.KnownFlags, string(arg))
	}
	for name, bit := range c.flagBits() {
		p.flagBits[name] = bit
	}
	return nil
}

// ParseSRV reads the arguments of an item that tells a shared random value.
func ParseSRV(args netdoc.Args) (*SRV, error) {
	var v SRV
	var err error
	if v.Reveals, err = netdoc.ParseUint(args.Next(), math.MaxUint64); err != nil {
		return nil, err
	}
	return &v, netdoc.ParseBase64(v.Value[:], args.Next())
}

// sourceItem reads the items that come once an authority; contact and vote-digest belong to the dir-source before them.
func (c *Consensus) sourceItem(rule int, it *netdoc.Item) error {
	args := it.Args
	if rule == itemDirSource {
		d, err := ParseDirSource(args)
		c.Sources = append(c.Sources, d)
		return err
	}
	if rule != itemContact && rule != itemVoteDigest {
		return nil // unknown
	}
	if len(c.Sources) == 0 {
		return netdoc.ErrMisplaced
	}
	d := &c.Sources[len(c.Sources)-1]
	if rule == itemContact {
		if d.Contact != "" {
			return netdoc.ErrTooMany
		}
		d.Contact = string(args)
		d.Legacy = false
		return nil
	}
	if d.VoteDigest != [20]byte{} {
		return netdoc.ErrTooMany
	}
	d.Legacy = false
	return netdoc.ParseHex(d.VoteDigest[:], args.Next())
}

// ParseDirSource reads the arguments of a dir-source item.
func ParseDirSource(args netdoc.Args) (d DirSource, err error) {
	d.Legacy = true // until a contact or a digest shows that it is not
	d.Nickname = string(args.Next())
	if err := netdoc.ParseHex(d.Identity[:], args.Next()); err != nil {
		return d, err
	}
	d.Hostname = string(args.Next())
	addr, err := netdoc.ParseIPv4(args.Next())
	if err != nil {
		return d, err
	}
	d.Addr = netip.AddrFrom4(addr)
	if d.DirPort, err = netdoc.ParsePort(args.Next()); err != nil {
		return d, err
	}
	d.ORPort, err = netdoc.ParsePort(args.Next())
	return d, err
}
