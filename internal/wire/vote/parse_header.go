package vote

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
)

// The items of the header, in the order in which they are written.
const (
	itemVersion = iota
	itemStatus
	itemMethods
	itemPublished
	itemValidAfter
	itemFreshUntil
	itemValidUntil
	itemVotingDelay
	itemClientVersions
	itemServerVersions
	itemPackage
	itemRecommendedRelay
	itemRecommendedClient
	itemRequiredRelay
	itemRequiredClient
	itemKnownFlags
	itemThresholds
	itemParams
	itemBandwidthHeaders
	itemBandwidthDigest
	itemDirSource
	itemContact
	itemParticipate
	itemCommit
	itemPreviousSRV
	itemCurrentSRV
	itemLegacyKey
)

const (
	kwVersion     = "network-status-version"
	kwFooter      = "directory-footer"
	kwSignature   = "directory-signature"
	kwParticipate = "shared-rand-participate"
	kwCommit      = "shared-rand-commit"
	kwCert        = "dir-key-certificate-version" // first and last item of a certificate
	kwCertEnd     = "dir-key-certification"
)

var headerSchema = netdoc.NewSchema([]netdoc.Rule{
	itemVersion:           {Keyword: kwVersion, Min: 1, Max: 1, MinArgs: 1, Place: netdoc.First},
	itemStatus:            {Keyword: "vote-status", Min: 1, Max: 1, MinArgs: 1},
	itemMethods:           {Keyword: "consensus-methods", Min: 1, Max: 1, MinArgs: 1},
	itemPublished:         {Keyword: "published", Min: 1, Max: 1, MinArgs: 2},
	itemValidAfter:        {Keyword: "valid-after", Min: 1, Max: 1, MinArgs: 2},
	itemFreshUntil:        {Keyword: "fresh-until", Min: 1, Max: 1, MinArgs: 2},
	itemValidUntil:        {Keyword: "valid-until", Min: 1, Max: 1, MinArgs: 2},
	itemVotingDelay:       {Keyword: "voting-delay", Min: 1, Max: 1, MinArgs: 2},
	itemClientVersions:    {Keyword: "client-versions", Max: 1},
	itemServerVersions:    {Keyword: "server-versions", Max: 1},
	itemPackage:           {Keyword: "package", Max: netdoc.Any},
	itemRecommendedRelay:  {Keyword: "recommended-relay-protocols", Max: 1},
	itemRecommendedClient: {Keyword: "recommended-client-protocols", Max: 1},
	itemRequiredRelay:     {Keyword: "required-relay-protocols", Max: 1},
	itemRequiredClient:    {Keyword: "required-client-protocols", Max: 1},
	itemKnownFlags:        {Keyword: "known-flags", Min: 1, Max: 1},
	itemThresholds:        {Keyword: "flag-thresholds"},
	itemParams:            {Keyword: "params", Max: 1},
	itemBandwidthHeaders:  {Keyword: "bandwidth-file-headers"},
	itemBandwidthDigest:   {Keyword: "bandwidth-file-digest"},
	itemDirSource:         {Keyword: "dir-source", Min: 1, Max: 1, MinArgs: 6},
	itemContact:           {Keyword: "contact", Min: 1, Max: 1},
	itemParticipate:       {Keyword: kwParticipate, Max: 1},
	itemCommit:            {Keyword: kwCommit, Max: maxCommits, MinArgs: 3},
	itemPreviousSRV:       {Keyword: "shared-rand-previous-value", Max: 1, MinArgs: 2, MaxArgs: 2},
	itemCurrentSRV:        {Keyword: "shared-rand-current-value", Max: 1, MinArgs: 2, MaxArgs: 2},
	itemLegacyKey:         {Keyword: "legacy-dir-key", Max: 1, MinArgs: 1},
}...)

// parseHeader reads up to the first entry or the footer.
func (p *parser) parseHeader() error {
	check := headerSchema.NewChecker()
	for ; p.more && !endsPart(p.s.Item()); p.next() {
		it := p.s.Item()
		if inCert, err := p.certItem(it); inCert {
			if err != nil {
				return it.Wrap(err)
			}
			continue
		}
		rule, err := check.Item(it)
		if err == nil {
			err = p.headerItem(rule, &check, it)
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
	v := p.v
	switch {
	case v.Cert == nil:
		return &netdoc.Error{Keyword: kwCert, Err: netdoc.ErrMissing}
	case v.Cert.Fingerprint != v.Source.Identity:
		return fmt.Errorf("dir-source: %w", ErrIdentity)
	}
	if check.Seen(itemParticipate) > 0 {
		v.SharedRandom = &p.random
	}
	return nil
}

// certItem takes the items of the certificate, which are no items of the vote, and parses it at its end.
func (p *parser) certItem(it *netdoc.Item) (inCert bool, err error) {
	switch {
	case p.v.Cert != nil:
		if it.Is(kwCert) {
			return true, netdoc.ErrTooMany
		}
		return false, nil
	case it.Is(kwCert) && p.certStart == 0:
		p.certStart = it.Start
	case it.Is(kwCertEnd) && p.certStart > 0:
		p.v.Cert, err = authcert.Parse(bytes.Clone(p.doc[p.certStart:it.End]))
		return true, err
	}
	return p.certStart > 0, nil
}

func (p *parser) headerItem(rule int, check *netdoc.Checker, it *netdoc.Item) (err error) {
	v, args := p.v, it.Args
	switch rule {
	case itemVersion:
		if string(args.Next()) != "3" {
			return ErrNoVote
		}
		if flavor := args.Next(); flavor != nil && string(flavor) != consensus.NS.String() {
			return ErrNoVote
		}
	case itemStatus:
		if string(args.Next()) != "vote" {
			return ErrNoVote
		}
	case itemMethods:
		v.Methods, err = parseMethods(args)
	case itemPublished:
		v.Published, err = args.Time()
	case itemValidAfter:
		v.ValidAfter, err = args.Time()
	case itemFreshUntil:
		v.FreshUntil, err = args.Time()
	case itemValidUntil:
		v.ValidUntil, err = args.Time()
	case itemVotingDelay:
		if v.VoteDelay, err = consensus.ParseSeconds(args.Next()); err == nil {
			v.DistDelay, err = consensus.ParseSeconds(args.Next())
		}
	case itemClientVersions:
		v.ClientVersions = splitVersions(args)
	case itemServerVersions:
		v.ServerVersions = splitVersions(args)
	case itemPackage:
		v.Packages = append(v.Packages, string(args))
	case itemRecommendedRelay:
		v.RecommendedRelay, err = protover.Parse(args)
	case itemRecommendedClient:
		v.RecommendedClient, err = protover.Parse(args)
	case itemRequiredRelay:
		v.RequiredRelay, err = protover.Parse(args)
	case itemRequiredClient:
		v.RequiredClient, err = protover.Parse(args)
	case itemKnownFlags:
		return p.setKnownFlags(args)
	case itemThresholds:
		v.FlagThresholds = string(args)
	case itemParams:
		v.Params, err = params.Parse(args)
	case itemBandwidthHeaders:
		v.bandwidths().Headers = string(args)
	case itemBandwidthDigest:
		v.bandwidths().parseDigest(args)
	case itemDirSource:
		v.Source, err = consensus.ParseDirSource(args)
		v.Source.Legacy = false
	case itemContact:
		if check.Seen(itemDirSource) == 0 {
			return netdoc.ErrMisplaced
		}
		v.Source.Contact = string(args)
	case itemLegacyKey:
		_ = netdoc.ParseHex(v.LegacyKey[:], args.Next()) // an invalid one is as good as none
	case itemParticipate:
		if args.Next() != nil {
			return fmt.Errorf("arguments: %w", netdoc.ErrTooMany)
		}
	case itemCommit:
		p.random.addCommit(args)
	case itemPreviousSRV:
		p.random.Previous = parseSRV(args)
	case itemCurrentSRV:
		p.random.Current = parseSRV(args)
	}
	return err
}

// parseSRV returns nil for a value that it cannot read: the vote is good for all else.
func parseSRV(args netdoc.Args) *consensus.SRV {
	srv, err := consensus.ParseSRV(args)
	if err != nil {
		return nil
	}
	return srv
}

// parseMethods reads numbers and puts them in order. Words that are none are methods that nobody can know.
func parseMethods(args netdoc.Args) (methods []int, err error) {
	for arg := args.Next(); arg != nil; arg = args.Next() {
		if len(methods) == maxMethods {
			return nil, netdoc.ErrTooMany
		}
		if n, err := netdoc.ParseUint(arg, math.MaxInt32); err == nil && n > 0 {
			methods = append(methods, int(n))
		}
	}
	slices.Sort(methods)
	return slices.Compact(methods), nil
}

// splitVersions splits a list at commas. An empty list is not nil: it says that no version is good.
func splitVersions(args netdoc.Args) []string {
	list := []string{}
	for version := range strings.SplitSeq(string(args), ",") {
		if version = strings.Trim(version, " \t"); version != "" {
			list = append(list, version)
		}
	}
	return list
}

func (p *parser) setKnownFlags(args netdoc.Args) error {
	v := p.v
	for arg := args.Next(); arg != nil; arg = args.Next() {
		n := len(v.KnownFlags)
		switch {
		case n == maxFlags:
			return netdoc.ErrTooMany
		case n > 0 && v.KnownFlags[n-1] >= string(arg):
			return ErrOrder
		}
		v.KnownFlags = append(v.KnownFlags, string(arg))
		p.flagBits[string(arg)] = 1 << n
	}
	return nil
}

func (v *Vote) bandwidths() *BandwidthFile {
	if v.Bandwidths == nil {
		v.Bandwidths = new(BandwidthFile)
	}
	return v.Bandwidths
}

const digestPrefix = "sha256="

// parseDigest takes the first SHA-256 digest; a malformed one does not matter.
func (b *BandwidthFile) parseDigest(args netdoc.Args) {
	for arg := args.Next(); arg != nil; arg = args.Next() {
		if text, ok := bytes.CutPrefix(arg, []byte(digestPrefix)); ok {
			_ = netdoc.ParseBase64(b.Digest[:], text)
			return
		}
	}
}

// checkTimes refuses what no network could keep up with.
func (v *Vote) checkTimes(minInterval time.Duration) error {
	switch {
	case v.FreshUntil.Sub(v.ValidAfter) < minInterval:
		return fmt.Errorf("valid-after, fresh-until: %w", ErrTimes)
	case v.ValidUntil.Sub(v.ValidAfter) < 2*minInterval:
		return fmt.Errorf("valid-after, valid-until: %w", ErrTimes)
	case v.VoteDelay < minDelay, v.DistDelay < minDelay:
		return fmt.Errorf("voting-delay: %w", ErrTimes)
	}
	return nil
}
