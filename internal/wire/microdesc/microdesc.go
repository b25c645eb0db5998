package microdesc

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/netip"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// MaxLen bounds a microdescriptor, in bytes. The longest in use have families of some hundred relays, 40 bytes each.
const MaxLen = 128 << 10

// Microdesc is one microdescriptor.
type Microdesc struct {
	Digest    [32]byte // SHA-256 of the text
	Ntor      [32]byte // onion key
	Ed25519   [32]byte // identity, if HasEd
	HasEd     bool
	Addr6     netip.AddrPort     // of the OR port; invalid if none, as it is since consensus method 28
	Policy4   exitpolicy.Summary // IPv4
	Policy6   exitpolicy.Summary // IPv6
	Family    string             // members that the relay lists, separated by spaces; see Members
	FamilyIDs string             // identities of families that it belongs to, separated by spaces
}

// Positions in schema.
const (
	itemOnionKey = iota
	itemNtor
	itemID
	itemA
	itemFamily
	itemFamilyIDs
	itemP
	itemP6
)

const kwOnionKey = "onion-key"

var schema = netdoc.NewSchema(
	netdoc.Rule{Keyword: kwOnionKey, Min: 1, Max: 1, Object: netdoc.MayObject, Place: netdoc.First},
	netdoc.Rule{Keyword: "ntor-onion-key", Min: 1, Max: 1, MinArgs: 1},
	netdoc.Rule{Keyword: "id", MinArgs: 2},
	netdoc.Rule{Keyword: "a", MinArgs: 1},
	netdoc.Rule{Keyword: "family", Max: 1},
	netdoc.Rule{Keyword: "family-ids", Max: 1},
	netdoc.Rule{Keyword: "p", Max: 1},
	netdoc.Rule{Keyword: "p6", Max: 1},
)

// Parse parses one microdescriptor without annotations. The digest covers all of text. in may be nil.
//
// https://spec.torproject.org/dir-spec/computing-microdescriptors.html
func Parse(text []byte, in *Interner) (Microdesc, error) {
	if len(text) > MaxLen {
		return Microdesc{}, ErrTooLong
	}
	m := Microdesc{Digest: sha256.Sum256(text)}
	if err := m.parse(text, in); err != nil {
		return Microdesc{}, fmt.Errorf("microdescriptor: %w", err)
	}
	return m, nil
}

func (m *Microdesc) parse(text []byte, in *Interner) error {
	if !bytes.HasPrefix(text, []byte(kwOnionKey)) {
		return ErrStart // a blank line would be allowed in a document, but nobody hashes one
	}
	s := netdoc.NewScanner(text, netdoc.Options{})
	check := schema.NewChecker()
	for s.Next() {
		it := s.Item()
		rule, err := check.Item(it)
		if err != nil {
			return err
		}
		switch rule {
		case itemOnionKey:
			err = checkOnionKey(it)
		case itemNtor:
			args := it.Args
			err = netdoc.ParseBase64(m.Ntor[:], args.Next())
		case itemID:
			err = m.parseID(it.Args)
		case itemA:
			m.parseAddr(it.Args)
		case itemFamily:
			m.Family = in.text(it.Args.Trimmed())
		case itemFamilyIDs:
			m.FamilyIDs = in.text(it.Args.Trimmed())
		case itemP:
			m.Policy4 = in.policy(it.Args.Trimmed())
		case itemP6:
			m.Policy6 = in.policy(it.Args.Trimmed())
		}
		if err != nil {
			return it.Wrap(err)
		}
	}
	if err := s.Err(); err != nil {
		return err
	}
	return check.End()
}

// checkOnionKey checks the TAP key, which nobody uses any more, so that we agree with C tor on what is valid.
func checkOnionKey(it *netdoc.Item) error {
	if it.Object.Tag == nil {
		return nil
	}
	var buf [256]byte
	der, err := it.Object.Append(buf[:0], rsakey.Tag, 1, len(buf)/2+64)
	if err != nil {
		return err
	}
	return rsakey.CheckDER(der, rsakey.RelayBits, rsakey.RelayBits)
}

// parseID reads an identity. Kinds other than Ed25519 are ignored, the RSA identity too: the consensus tells that.
func (m *Microdesc) parseID(args netdoc.Args) error {
	if string(args.Next()) != "ed25519" {
		return nil
	}
	if m.HasEd {
		return fmt.Errorf("Ed25519 identity: %w", netdoc.ErrTooMany)
	}
	m.HasEd = true
	return netdoc.ParseBase64(m.Ed25519[:], args.Next())
}

// parseAddr keeps the first IPv6 address. Others, and what is no address, are skipped, as in C tor
// (find_single_ipv6_orport).
func (m *Microdesc) parseAddr(args netdoc.Args) {
	if m.Addr6.IsValid() {
		return
	}
	addr, err := netip.ParseAddrPort(string(args.Next()))
	if err == nil && addr.Addr().Is6() && addr.Addr().Zone() == "" && addr.Port() != 0 {
		m.Addr6 = addr
	}
}
