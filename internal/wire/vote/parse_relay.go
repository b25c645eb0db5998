package vote

import (
	"bytes"
	"fmt"
	"math"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// The items of an entry that come once at most, as bits.
const (
	seenS = 1 << iota
	seenV
	seenPr
	seenW
	seenP
)

// parseRelay reads one entry, from its r line on.
func (p *parser) parseRelay() error {
	p.v.Relays = append(p.v.Relays, Relay{})
	r := &p.v.Relays[len(p.v.Relays)-1]
	it := p.s.Item()
	line := it.Line
	if err := r.Status.ParseR(it.Args, consensus.NS); err != nil {
		return it.Wrap(err)
	}
	if it.Object.Tag != nil {
		return it.Wrap(fmt.Errorf("object: %w", netdoc.ErrMisplaced))
	}
	if n := len(p.v.Relays); n > 1 && bytes.Compare(p.v.Relays[n-2].Status.ID[:], r.Status.ID[:]) >= 0 {
		return it.Wrap(fmt.Errorf("identity: %w", ErrOrder))
	}
	var seen uint
	for p.next(); p.more && !endsPart(it); p.next() {
		bit, known, err := p.relayItem(r, it)
		switch {
		case err != nil:
		case seen&bit != 0:
			err = netdoc.ErrTooMany
		case known && it.Object.Tag != nil:
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
	return p.addEd25519(r, line)
}

// addEd25519 checks that no other entry has the Ed25519 identity.
func (p *parser) addEd25519(r *Relay, line int) error {
	if r.Ed25519 == [32]byte{} {
		return nil
	}
	if _, dup := p.edIDs[r.Ed25519]; dup {
		return &netdoc.Error{Line: line, Keyword: "id", Err: ErrTwice}
	}
	p.edIDs[r.Ed25519] = struct{}{}
	return nil
}

// relayItem reads an item after the r line. bit is that of the item, 0 if there may be any number of them.
func (p *parser) relayItem(r *Relay, it *netdoc.Item) (bit uint, known bool, err error) {
	args := it.Args
	switch string(it.Keyword) {
	case "a":
		arg := args.Next()
		if arg == nil {
			return 0, true, netdoc.ErrMissing
		}
		r.Status.ParseA(arg)
	case "s":
		bit = seenS
		r.Flags, err = p.flagsOf(args)
	case "v":
		bit, r.Status.Version = seenV, p.in.Text(args)
	case "pr":
		bit = seenPr
		r.Status.Protos, err = p.in.Protos(args)
	case "w":
		bit, err = seenW, r.parseW(args)
	case "p":
		if bit = seenP; !bytes.HasPrefix(args, []byte("accept ")) && !bytes.HasPrefix(args, []byte("reject ")) {
			err = netdoc.ErrBadValue
		}
		r.Status.Policy = p.in.Text(args)
	case "id":
		err = r.parseID(args)
	case "m":
		r.Microdescs = append(r.Microdescs, parseMicrodesc(args))
	case "stats":
		r.Stats = string(args)
		return 0, false, nil
	default:
		return 0, false, nil
	}
	return bit, true, err
}

// flagsOf returns the meaning of an s line.
func (p *parser) flagsOf(args netdoc.Args) (Flags, error) {
	if f, ok := p.flagLines[string(args)]; ok {
		return f, nil
	}
	line := string(args)
	var f Flags
	for arg := args.Next(); arg != nil; arg = args.Next() {
		bit := p.flagBits[string(arg)]
		if bit == 0 {
			return 0, fmt.Errorf("%.32q: %w", arg, ErrFlag)
		}
		f |= bit
	}
	p.flagLines[line] = f
	return f, nil
}

// parseW reads the w line; keys that we do not know are ignored.
func (r *Relay) parseW(args netdoc.Args) error {
	if err := r.Status.ParseW(args); err != nil {
		return err
	}
	for arg := args.Next(); arg != nil; arg = args.Next() {
		if value, ok := bytes.CutPrefix(arg, []byte("Measured=")); ok {
			n, err := netdoc.ParseUint(value, math.MaxUint32)
			if err != nil {
				return fmt.Errorf("key Measured: %w", err)
			}
			r.Measured, r.HasMeasured = uint32(n), true
		} else if value, ok := bytes.CutPrefix(arg, []byte(keyMeasuredAuthority+"=")); ok {
			n, err := netdoc.ParseUint(value, math.MaxUint32)
			if err == nil { // nobody needs it
				r.MeasuredAuthority = uint32(n)
			}
		}
	}
	return nil
}

const (
	keyMeasuredAuthority = "MeasuredButAuthority"
	noEd25519            = "none"
)

// parseID reads an identity; kinds other than Ed25519 are ignored.
func (r *Relay) parseID(args netdoc.Args) error {
	kind, value := args.Next(), args.Next()
	if value == nil {
		return fmt.Errorf("argument: %w", netdoc.ErrMissing)
	}
	if string(kind) != "ed25519" {
		return nil
	}
	r.HasEd25519 = true
	if string(value) == noEd25519 {
		return nil
	}
	return netdoc.ParseBase64(r.Ed25519[:], value)
}

// parseMicrodesc reads methods, separated by commas, and a SHA-256 digest. A line that we cannot read is no error, it
// only tells no digest (vote_routerstatus_find_microdesc_hash in C tor).
func parseMicrodesc(args netdoc.Args) (m Microdesc) {
	methods := args.Next()
	for more := true; more; {
		var number []byte
		number, methods, more = bytes.Cut(methods, []byte(","))
		n, err := netdoc.ParseUint(number, math.MaxInt32)
		if err != nil {
			break
		}
		m.Methods |= 1 << n
	}
	for arg := args.Next(); arg != nil; arg = args.Next() {
		if text, ok := bytes.CutPrefix(arg, []byte(digestPrefix)); ok {
			if netdoc.ParseBase64(m.Digest[:], text) != nil {
				m.Digest = [32]byte{}
			}
			break
		}
	}
	return m
}
