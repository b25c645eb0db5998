package routerdesc

import (
	"crypto/sha1"
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/relayname"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// Parse parses one descriptor without annotations, and checks its signatures.
//
// https://spec.torproject.org/dir-spec/server-descriptor-format.html
func Parse(text []byte) (*Descriptor, error) {
	if len(text) > MaxLen {
		return nil, ErrTooLong
	}
	p := parser{d: Descriptor{Text: text}}
	err := p.parse()
	if err == nil {
		err = p.verify()
	}
	if err != nil {
		return nil, fmt.Errorf("router descriptor: %w", err)
	}
	return &p.d, nil
}

// parser holds what must be compared when all is read.
type parser struct {
	d     Descriptor
	items int // seen so far

	idCert      *torcert.Cert
	masterKey   [32]byte
	ntorCross   *torcert.Cert
	ntorSign    byte // sign bit of the ntor key as an Ed25519 key
	onionCross  []byte
	fingerprint []byte // nil if not told
	familyCerts []*torcert.Cert

	edSig    [64]byte
	edSigned []byte // what edSig is about
	edSigAt  int    // index of the item
	rsaSig   []byte
	hasProto bool
	policies int
}

func (p *parser) parse() error {
	s := netdoc.NewScanner(p.d.Text, netdoc.Options{})
	check := schema.NewChecker()
	for s.Next() {
		it := s.Item()
		rule, err := check.Item(it)
		if err == nil {
			err = p.item(rule, it)
		}
		if err != nil {
			return it.Wrap(err)
		}
		p.items++
	}
	switch {
	case s.Err() != nil:
		return s.Err()
	case p.items > 0 && !p.hasProto:
		return ErrObsolete
	}
	if err := check.End(); err != nil {
		return err
	}
	switch {
	case p.edSigAt != p.items-2:
		return fmt.Errorf("%s: %w", kwEdSig, ErrPosition)
	case p.policies == 0:
		return ErrNoPolicy
	case (p.d.OnionKey == nil) != (p.onionCross == nil):
		return ErrOnionKey
	}
	p.d.DirCache = p.d.DirCache || p.d.DirPort != 0
	return nil
}

// item takes one item of the document.
func (p *parser) item(rule int, it *netdoc.Item) (err error) {
	d := &p.d
	switch rule {
	case itemRouter:
		return p.router(it)
	case itemIdentity:
		if p.items != 1 {
			return ErrPosition // "The identity-ed25519 element must be the first or second element"
		}
		p.idCert, err = parseCert(it, tagEdCert)
	case itemMasterKey:
		args := it.Args
		err = netdoc.ParseBase64(p.masterKey[:], args.Next())
	case itemORAddress:
		p.orAddress(it.Args)
	case itemPlatform:
		d.Platform = string(it.Args.Trimmed())
	case itemProto:
		p.hasProto = true
		d.Protocols = string(it.Args.Trimmed())
	case itemPublished:
		d.Published, err = it.Time()
	case itemFingerprint:
		err = p.parseFingerprint(it.Args)
	case itemUptime:
		d.Uptime, err = parseUptime(it.Args)
	case itemBandwidth:
		d.Bandwidth, err = parseBandwidth(it.Args)
	case itemExtraInfo:
		p.extraInfo(it.Args)
	case itemCachesExtraInfo:
		d.CachesExtraInfo = true
	case itemOnionKey:
		if d.OnionKey, err = it.Object.Decode(rsakey.Tag, 1, rsakey.MaxDER); err == nil {
			err = rsakey.CheckDER(d.OnionKey, rsakey.RelayBits, rsakey.RelayBits)
		}
	case itemSigningKey:
		err = p.signingKey(it)
	case itemOnionCross:
		p.onionCross, err = it.Object.Decode(tagCross, 1, rsakey.RelayBits/8)
	case itemNtorCross:
		err = p.parseNtorCross(it)
	case itemFamily:
		d.Family, err = parseFamily(it.Args)
	case itemHibernating:
		args := it.Args
		n, numErr := netdoc.ParseUint(args.Next(), math.MaxInt64)
		d.Hibernating = numErr == nil && n != 0 // as C tor reads it
	case itemHSDir:
		d.HSDir = true
	case itemFamilyCert:
		var c *torcert.Cert
		c, err = parseCert(it, tagFamily)
		p.familyCerts = append(p.familyCerts, c)
	case itemContact:
		d.Contact = string(it.Args.Trimmed())
	case itemBridgeDistribution:
		d.BridgeDistribution = string(it.Args.Trimmed())
	case itemNtor:
		args := it.Args
		err = netdoc.ParseBase64(d.Ntor[:], args.Next())
	case itemAccept, itemReject, itemAccept6, itemReject6:
		p.policies++
		var rules []exitpolicy.Rule
		rules, err = exitpolicy.ParseRule(string(it.Keyword), string(it.Args.Trimmed()))
		d.Policy = append(d.Policy, rules...)
	case itemPolicy6:
		if len(it.Args) > 0 {
			d.Policy6, err = exitpolicy.ParseSummary(string(it.Args.Trimmed()))
		}
	case itemDirCache:
		d.DirCache = true
	case itemSingleHop:
		d.SingleHopExit = true
	case itemOverload:
		p.overload(it.Args)
	case itemEdSig:
		err = p.parseEdSig(it)
	case itemRSASig:
		d.Digest = sha1.Sum(d.Text[:it.LineEnd])
		p.rsaSig, err = it.Object.Decode(tagRSASign, 1, rsakey.RelayBits/8)
	}
	return err
}

// router reads the first line: nickname, address, and ports. The third port is that of a SOCKS proxy, long unused.
func (p *parser) router(it *netdoc.Item) error {
	if it.Start != 0 || !strings.HasPrefix(string(p.d.Text), kwRouter+" ") {
		return ErrPosition // the digests begin here, and C tor looks for just this text
	}
	args := it.Args
	nickname := args.Next()
	if !relayname.IsNickname(nickname) {
		return ErrNickname
	}
	p.d.Nickname = string(nickname)
	addr, err := netdoc.ParseIPv4(args.Next())
	if err != nil {
		return err
	}
	port, err := netdoc.ParsePort(args.Next())
	if err != nil {
		return err
	}
	args.Next()
	if p.d.DirPort, err = netdoc.ParsePort(args.Next()); err != nil {
		return err
	}
	// A relay that claimed 0.0.0.0 once stopped C tor clients; port 0 is no port to connect to.
	if addr == [4]byte{} || port == 0 {
		return ErrAddress
	}
	p.d.OR = netip.AddrPortFrom(netip.AddrFrom4(addr), port)
	return nil
}

// orAddress keeps the first IPv6 address, and skips all else, as C tor does (find_single_ipv6_orport). An address that
// nobody can connect to is as good as none.
func (p *parser) orAddress(args netdoc.Args) {
	addr, err := netip.ParseAddrPort(string(args.Next()))
	if err == nil && !p.d.OR6.IsValid() && addr.Addr().Is6() && addr.Addr().Zone() == "" && !addr.Addr().IsUnspecified() &&
		addr.Port() != 0 {
		p.d.OR6 = addr
	}
}

// parseEdSig reads the Ed25519 signature. What it is about ends behind the space before it.
func (p *parser) parseEdSig(it *netdoc.Item) error {
	end := it.Start + len(kwEdSig) + 1
	if end > it.LineEnd || string(p.d.Text[it.Start:end]) != kwEdSig+" " {
		return ErrPosition
	}
	p.edSigAt = p.items
	p.edSigned = p.d.Text[:end]
	args := it.Args
	return netdoc.ParseBase64(p.edSig[:], args.Next())
}

// signingKey reads the RSA identity; the name of the item is from a time when there was another.
func (p *parser) signingKey(it *netdoc.Item) error {
	der, err := it.Object.Decode(rsakey.Tag, 1, rsakey.MaxDER)
	if err != nil {
		return err
	}
	p.d.Identity, err = rsakey.ParseDER(der, rsakey.RelayBits, rsakey.RelayBits)
	p.d.RSA = sha1.Sum(der)
	return err
}

func (p *parser) parseNtorCross(it *netdoc.Item) error {
	args := it.Args
	switch string(args.Next()) {
	case "0":
	case "1":
		p.ntorSign = 1
	default:
		return fmt.Errorf("sign bit: %w", netdoc.ErrBadValue)
	}
	var err error
	p.ntorCross, err = parseCert(it, tagEdCert)
	return err
}
