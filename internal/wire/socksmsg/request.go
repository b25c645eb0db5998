package socksmsg

import (
	"fmt"
	"net/netip"
)

// A Request is what a client asks for, in any version.
type Request struct {
	Version uint8 // Version4 (which includes 4a) or Version5
	Command Command
	Host    string // as ParseHost gives it: a name, or the text of an address
	Port    uint16

	// ByAddr says that the client sent a binary address where it could have sent a name. It may then have looked the
	// name up by itself, outside Tor.
	ByAddr bool

	// User and Pass are what the client authenticated with, or empty; they are secret. SOCKS4 has only a user ID.
	// In the form of https://spec.torproject.org/proposals/351-socks-auth-extensions.html User is "<torS0X>0".
	User, Pass string
}

// check says whether Tor can serve r at all.
func (r *Request) check() error {
	switch {
	case r.Command == Connect && r.Port == 0:
		return ErrPort
	case r.Command == Connect, r.Command == Resolve:
	case r.Command == ResolvePTR && r.Version == Version5:
		// C tor: fails with "address type not supported" unless the host is an address, of whatever address type.
		if _, err := netip.ParseAddr(r.Host); err != nil {
			return fmt.Errorf("RESOLVE_PTR of a name: %w", ErrAddrType)
		}
	default:
		return fmt.Errorf("SOCKS%d %v: %w", r.Version, r.Command, ErrCommand)
	}
	return nil
}

// setHost fills Host, and ByAddr, from addr if it is valid, else from name.
func (r *Request) setHost(addr netip.Addr, name []byte) (err error) {
	if addr.IsValid() {
		r.Host, r.ByAddr = addr.String(), true
		return nil
	}
	r.Host, err = ParseHost(string(name))
	return err
}

// addr returns the address to be sent in binary form; it is invalid if Host is to be sent as a name.
func (r *Request) addr() (netip.Addr, error) {
	if !r.ByAddr {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(r.Host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("not an address: %w", ErrHost)
	}
	return a, nil
}
