package socksmsg

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// A Greeting opens SOCKS5: the client offers ways of authentication.
//
//	version u8 = 5 | count u8 | methods [count]
//
// https://www.rfc-editor.org/rfc/rfc1928#section-3
type Greeting struct{ Methods []byte }

// ParseGreeting reads a Greeting from the start of buf and returns its length n; Methods aliases buf.
// n == 0 without an error means that bytes are missing.
func ParseGreeting(buf []byte) (g Greeting, n int, err error) {
	s := cryptobyte.String(buf)
	var version uint8
	switch {
	case !s.ReadUint8(&version):
		return g, 0, nil
	case version != Version5:
		return g, 0, fmt.Errorf("SOCKS5 greeting: %w", ErrVersion)
	case !s.ReadUint8LengthPrefixed((*cryptobyte.String)(&g.Methods)):
		return g, 0, nil
	}
	return g, len(buf) - len(s), nil
}

// AppendTo appends g to b.
func (g Greeting) AppendTo(b []byte) ([]byte, error) {
	if len(g.Methods) > 255 {
		return nil, fmt.Errorf("SOCKS5 methods: %w", ErrTooLong)
	}
	return append(append(b, Version5, byte(len(g.Methods))), g.Methods...), nil
}

// choose returns the method to use: with a password where it can be had, since it separates users' streams.
func (g Greeting) choose(preferNoAuth bool) Method {
	none := bytes.IndexByte(g.Methods, byte(NoAuth)) >= 0
	userPass := bytes.IndexByte(g.Methods, byte(UserPassAuth)) >= 0
	switch {
	case userPass && !(none && preferNoAuth):
		return UserPassAuth
	case none:
		return NoAuth
	}
	return NoMethod
}

// UserPass is a client's name and password. C tor lets both be empty, against the RFC, for clients that send them so.
//
//	version u8 = 1 | length u8 | user [length] | length u8 | password [length]
//
// https://www.rfc-editor.org/rfc/rfc1929#section-2
type UserPass struct{ User, Pass string }

// ParseUserPass reads a UserPass from the start of buf and returns its length n.
// n == 0 without an error means that bytes are missing.
func ParseUserPass(buf []byte) (u UserPass, n int, err error) {
	s := cryptobyte.String(buf)
	var version uint8
	var user, pass cryptobyte.String
	switch {
	case !s.ReadUint8(&version):
		return u, 0, nil
	case version != authVersion:
		return u, 0, fmt.Errorf("SOCKS5 user and password: %w", ErrVersion)
	case !s.ReadUint8LengthPrefixed(&user), !s.ReadUint8LengthPrefixed(&pass):
		return u, 0, nil
	}
	return UserPass{string(user), string(pass)}, len(buf) - len(s), nil
}

// AppendTo appends u to b.
func (u UserPass) AppendTo(b []byte) ([]byte, error) {
	if len(u.User) > 255 || len(u.Pass) > 255 {
		return nil, fmt.Errorf("SOCKS5 user and password: %w", ErrTooLong)
	}
	b = append(append(b, authVersion, byte(len(u.User))), u.User...)
	return append(append(b, byte(len(u.Pass))), u.Pass...), nil
}

const (
	extendedPrefix = "<torS0X>"
	extendedPlain  = "<torS0X>0" // nothing but an isolation mark, in the password
)

// check refuses the reserved user names that ask for more than isolation, such as RPC objects.
// https://spec.torproject.org/proposals/351-socks-auth-extensions.html
func (u UserPass) check() error {
	if len(u.User) >= len(extendedPrefix) && u.User[:len(extendedPrefix)] == extendedPrefix && u.User != extendedPlain {
		return ErrReservedRPC
	}
	return nil
}

// ParseRequest5 reads a SOCKS5 request from the start of buf and returns its length n.
// n == 0 without an error means that bytes are missing.
//
//	version u8 = 5 | command u8 | reserved u8 = 0 | type u8 | address | port u16
//
// https://www.rfc-editor.org/rfc/rfc1928#section-4
func ParseRequest5(buf []byte) (r Request, n int, err error) {
	s := cryptobyte.String(buf)
	var version, command, reserved uint8
	switch {
	case !s.ReadUint8(&version):
		return r, 0, nil
	case version != Version5:
		return r, 0, fmt.Errorf("SOCKS5 request: %w", ErrVersion)
	case !s.ReadUint8(&command), !s.ReadUint8(&reserved):
		return r, 0, nil
	case reserved != 0:
		return r, 0, fmt.Errorf("SOCKS5 request: %w", ErrReserved)
	}
	addr, name, port, ok, err := readBound(&s)
	if err != nil {
		return r, 0, fmt.Errorf("SOCKS5 request: %w", err)
	}
	if !ok {
		return r, 0, nil
	}
	r = Request{Version: Version5, Command: Command(command), Port: port}
	if err := r.setHost(addr, name); err != nil {
		return r, 0, fmt.Errorf("SOCKS5 request: %w", err)
	}
	return r, len(buf) - len(s), nil
}

// appendRequest5 writes what ParseRequest5 reads.
func appendRequest5(b []byte, r Request) ([]byte, error) {
	addr, err := r.addr()
	if err != nil {
		return nil, fmt.Errorf("SOCKS5 request: %w", err)
	}
	if !addr.IsValid() && len(r.Host) > maxNameLen {
		return nil, fmt.Errorf("SOCKS5 name: %w", ErrTooLong)
	}
	w := cryptobyte.NewBuilder(b)
	w.AddBytes([]byte{Version5, byte(r.Command), 0})
	addBound(w, addr, r.Host, r.Port)
	return w.Bytes()
}
