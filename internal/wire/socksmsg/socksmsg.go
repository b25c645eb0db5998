package socksmsg

import (
	"errors"
	"fmt"
)

// MaxMessageLen is the length in bytes of the longest handshake message: a SOCKS5 user name and password of 255 bytes
// each. SOCKS4, which states no lengths, is held to the same. A buffer of this size suffices for either side.
const MaxMessageLen = 1 + 1 + 255 + 1 + 255

// maxNameLen is the longest host name that a SOCKS5 message can carry.
const maxNameLen = 255

// The protocol versions, as in the first byte of most messages.
const (
	Version4 = 4
	Version5 = 5
)

// authVersion is the first byte of the messages of RFC 1929.
const authVersion = 1

// Command says what the client wants.
type Command uint8

// The commands that Tor serves. BIND (2) and UDP ASSOCIATE (3) are refused.
// https://spec.torproject.org/socks-extensions.html
const (
	Connect    Command = 0x01
	Resolve    Command = 0xF0 // name to address
	ResolvePTR Command = 0xF1 // address to name; SOCKS5 only
)

func (c Command) String() string {
	switch c {
	case Connect:
		return "CONNECT"
	case Resolve:
		return "RESOLVE"
	case ResolvePTR:
		return "RESOLVE_PTR"
	}
	return fmt.Sprintf("command %#02x", uint8(c))
}

// Method is a way of authentication in SOCKS5.
type Method uint8

// The methods that Tor knows.
const (
	NoAuth       Method = 0x00
	UserPassAuth Method = 0x02
	NoMethod     Method = 0xFF // the server's answer when it knows none of those offered
)

// The address types of SOCKS5.
const (
	typeIPv4 = 1
	typeName = 3
	typeIPv6 = 4
)

// What is wrong with a message.
var (
	ErrHTTP        = errors.New("client speaks HTTP, not SOCKS")
	ErrVersion     = errors.New("not a SOCKS version that we speak")
	ErrTooLong     = errors.New("too long")
	ErrCommand     = errors.New("command not supported")
	ErrAddrType    = errors.New("address type not supported")
	ErrHost        = errors.New("malformed host")
	ErrPort        = errors.New("port is zero")
	ErrAuthMethod  = errors.New("no common authentication method")
	ErrReservedRPC = errors.New("user name asks for a service of the form <torS0X> that we do not have")
	ErrReserved    = errors.New("reserved byte is not zero")
	ErrFinished    = errors.New("handshake is over")
	ErrRefused     = errors.New("proxy refused")
)
