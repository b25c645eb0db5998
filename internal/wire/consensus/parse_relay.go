package consensus

import (
	"bytes"
	"fmt"
	"math"

	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// The items of an entry that count once, as bits.
const (
	seenS = 1 << iota
	seenV
	seenPr
	seenW
	seenP
	seenM
)

// parseRelay reads one entry, from its r line on.
func (p *parser) parseRelay() error {
	r := p.addRelay()
	it := p.s.Item()
	line := it.Line
	if err := r.ParseR(it.Args, p.c.Flavor); err != nil {
		return it.Wrap(err)
	}
	if n := len(p.c.Relays); n > 1 && compareID(&p.c.Relays[n-2].ID, &r.ID) >= 0 {
		return it.Wrap(fmt.Errorf("identity: %w", ErrOrder))
	}
	var seen uint
	for p.next(); p.more && !endsPart(it); p.next() {
		bit, err := p.relayItem(r, it, seen)
		if err == nil && bit != 0 && it.Object.Tag != nil {
			err = fmt.Errorf("object: %w", netdoc.ErrMisplaced)
		}
		if err != nil {
			return it.Wrap(err)
		}
		seen |= bit
	}
	switch {
	case p.s.Err() != nil:
		return p.s.Err()
	case seen&seenS == 0:
		return &netdoc.Error{Line: line, Keyword: "s", Err: netdoc.ErrMissing}
	case seen&seenPr == 0:
		return &netdoc.Error{Line: line, Keyword: "pr", Err: netdoc.ErrMissing}
	}
	return nil
}

// addRelay appends an empty entry.
func (p *parser) addRelay() *RouterStatus {
	p.c.Relays = append(p.c.Relays, RouterStatus{})
	return &p.c.Relays[len(p.c.Relays)-1]
}

// relayItem reads an item after the r line; seen has the bits of the items before. It returns the bit of the item, 0 if
// there may be any number of them.
func (p *parser) relayItem(r *RouterStatus, it *netdoc.Item, seen uint) (bit uint, err error) {
	args := it.Args
	switch string(it.Keyword) {
	case "a":
		r.ParseA(args.Next())
		return 0, nil
	case "m":
		if p.c.Flavor == Microdesc && seen&seenM == 0 { // the first counts
			return seenM, netdoc.ParseBase64(r.Digest[:], args.Next())
		}
		return 0, nil
	case "s":
		bit, r.Flags = seenS, p.flagsOf(args)
	case "v":
		bit, r.Version = seenV, p.in.Text(args)
	case "pr":
		bit = seenPr
		r.Protos, err = p.in.Protos(args)
	case "w":
		bit, err = seenW, r.ParseW(args)
	case "p":
		if bit = seenP; !bytes.HasPrefix(args, []byte("accept ")) && !bytes.HasPrefix(args, []byte("reject ")) {
			return bit, netdoc.ErrBadValue
		}
		r.Policy = p.in.Text(args)
	default:
		return 0, nil
	}
	if seen&bit != 0 {
		return bit, netdoc.ErrTooMany
	}
	return bit, err
}

// ParseR reads the arguments of an r line; votes have that of the ns flavor.
func (r *RouterStatus) ParseR(args netdoc.Args, flavor Flavor) error {
	if !r.setNickname(args.Next()) {
		return fmt.Errorf("nickname: %w", netdoc.ErrBadValue)
	}
	if err := netdoc.ParseBase64(r.ID[:], args.Next()); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	if flavor == NS {
		if err := netdoc.ParseBase64(r.Digest[:20], args.Next()); err != nil {
			return fmt.Errorf("descriptor digest: %w", err)
		}
	}
	published, err := args.Time()
	if err != nil {
		return err
	}
	r.Published = published.Unix()
	if r.Addr4, err = netdoc.ParseIPv4(args.Next()); err != nil {
		return err
	}
	if r.ORPort, err = netdoc.ParsePort(args.Next()); err != nil {
		return fmt.Errorf("ORPort: %w", err)
	}
	if r.DirPort, err = netdoc.ParsePort(args.Next()); err != nil {
		return fmt.Errorf("DirPort: %w", err)
	}
	return nil
}

// ParseA reads the argument of an a line. It takes the first address that is IPv6 with a port, as C tor does; others are
// ignored (find_single_ipv6_orport).
func (r *RouterStatus) ParseA(text []byte) {
	if r.ORPort6 != 0 {
		return
	}
	if a, port, err := netdoc.ParseIPv6Port(text); err == nil {
		r.Addr6, r.ORPort6 = a, port
	}
}

// ParseW reads the arguments of a w line; keys that we do not know are ignored.
func (r *RouterStatus) ParseW(args netdoc.Args) error {
	for arg := args.Next(); arg != nil; arg = args.Next() {
		if value, ok := bytes.CutPrefix(arg, []byte("Bandwidth=")); ok {
			n, err := netdoc.ParseUint(value, math.MaxUint32)
			if err != nil {
				return fmt.Errorf("key Bandwidth: %w", err)
			}
			r.Bandwidth, r.HasBandwidth = uint32(n), true
		} else if string(arg) == "Unmeasured=1" {
			r.Unmeasured = true
		} else if value, ok := bytes.CutPrefix(arg, []byte("GuardFraction=")); ok {
			n, err := netdoc.ParseUint(value, 100)
			if err != nil {
				return fmt.Errorf("key GuardFraction: %w", err)
			}
			r.GuardFraction, r.HasGuardFraction = uint8(n), true
		}
	}
	return nil
}
