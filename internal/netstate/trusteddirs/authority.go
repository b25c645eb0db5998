package trusteddirs

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Authority is a directory authority.
type Authority struct {
	Nickname    string
	Addr        netip.AddrPort // OR port; port 0 if the line does not tell
	IPv6        netip.AddrPort // OR port; invalid if none
	DirPort     netip.AddrPort // plain HTTP
	Fingerprint [20]byte       // SHA-1 of the relay identity
	V3Ident     [20]byte       // SHA-1 of the authority identity, which signs certificates; zero if it does not vote
	Bridge      bool           // collects the descriptors of bridges
	Weight      float64        // how often to choose it among its like; 1 if the line does not tell

	// Where other authorities upload descriptors to, send votes to and fetch documents from, if not at DirPort.
	Upload, Vote, Download []netip.AddrPort
}

// Votes tells whether the authority signs consensuses.
func (a Authority) Votes() bool { return a.V3Ident != [20]byte{} }

// ErrFewWords says that a line is too short.
var ErrFewWords = errors.New("want: [nickname] [flag=value ...] address:dirport fingerprint")

// ParseAuthority parses the value of a DirAuthority or AlternateDirAuthority line:
//
//	[nickname] [orport=N] [v3ident=HEX] [ipv6=[addr]:port] [bridge] [weight=F] [upload=URL] [vote=URL] [download=URL] addr:dirport fingerprint
//
// The fingerprint may have blanks. Like C tor (parse_dir_authority_line) it ignores flags that it does not know, and
// returns them.
func ParseAuthority(line string) (a Authority, ignored []string, err error) {
	a.Weight = 1
	words := strings.Fields(line)
	if len(words) > 0 && torrc.IsNickname(words[0]) {
		a.Nickname, words = words[0], words[1:]
	}
	var orPort uint16
	for len(words) > 0 && (words[0][0] < '0' || words[0][0] > '9') {
		key, value, _ := strings.Cut(words[0], "=")
		known, err := a.flag(strings.ToLower(key), value, &orPort)
		if err != nil {
			return a, nil, fmt.Errorf("%s: %w", words[0], err)
		}
		if !known {
			ignored = append(ignored, words[0])
		}
		words = words[1:]
	}
	if len(words) < 2 {
		return a, nil, ErrFewWords
	}
	a.DirPort, err = torrc.AddrPort(words[0])
	if err != nil || !a.DirPort.Addr().Is4() {
		return a, nil, fmt.Errorf("%q is no IPv4 address:port", words[0])
	}
	a.Addr = netip.AddrPortFrom(a.DirPort.Addr(), orPort)
	a.Fingerprint, err = fingerprint(strings.Join(words[1:], ""))
	return a, ignored, err
}

// flag reads one word before the address.
func (a *Authority) flag(key, value string, orPort *uint16) (known bool, err error) {
	switch key {
	case "hs", "no-hs", "no-v2": // meant something once
	case "bridge":
		a.Bridge = true
	case "orport":
		*orPort, err = port(value)
	case "weight":
		a.Weight, err = weight(value)
	case "v3ident":
		a.V3Ident, err = fingerprint(value)
	case "ipv6":
		a.IPv6, err = addrIPv6(value)
	case "upload":
		err = addURL(&a.Upload, value)
	case "vote":
		err = addURL(&a.Vote, value)
	case "download":
		err = addURL(&a.Download, value)
	default:
		return false, nil
	}
	return true, err
}

// addURL parses "http://addr:port/".
func addURL(list *[]netip.AddrPort, s string) error {
	host, ok := strings.CutPrefix(s, "http://")
	addr, err := torrc.AddrPort(strings.TrimSuffix(host, "/"))
	if !ok || err != nil {
		return fmt.Errorf("%q is not of the form http://address:port/", s)
	}
	*list = append(*list, addr)
	return nil
}

func port(s string) (uint16, error) {
	n, err := torrc.Int(s, 1, math.MaxUint16)
	return uint16(n), err
}

func weight(s string) (float64, error) {
	w, err := torrc.Float(s)
	if err == nil && w < 0 {
		err = fmt.Errorf("weight %q is negative", s)
	}
	return w, err
}

func fingerprint(s string) ([20]byte, error) {
	id, ok := torrc.Fingerprint(s)
	if !ok {
		return id, fmt.Errorf("%q is no fingerprint of 40 hexadecimal digits", s)
	}
	return id, nil
}

func addrIPv6(s string) (netip.AddrPort, error) {
	a, err := torrc.AddrPort(s)
	if err == nil && !a.Addr().Is6() {
		err = fmt.Errorf("%q is no IPv6 address", s)
	}
	return a, err
}
