package cell

import "strconv"

// Command says what a cell is for. Commands from 128 up, and VERSIONS, are in cells of variable length.
// https://spec.torproject.org/tor-spec/cell-packet-format.html
type Command uint8

// The commands of the specification.
const (
	CmdPadding          Command = 0
	CmdCreate           Command = 1
	CmdCreated          Command = 2
	CmdRelay            Command = 3
	CmdDestroy          Command = 4
	CmdCreateFast       Command = 5
	CmdCreatedFast      Command = 6
	CmdVersions         Command = 7
	CmdNetinfo          Command = 8
	CmdRelayEarly       Command = 9
	CmdCreate2          Command = 10
	CmdCreated2         Command = 11
	CmdPaddingNegotiate Command = 12
	CmdVPadding         Command = 128
	CmdCerts            Command = 129
	CmdAuthChallenge    Command = 130
	CmdAuthenticate     Command = 131
	CmdAuthorize        Command = 132
)

var commandNames = map[Command]string{
	CmdPadding:          "PADDING",
	CmdCreate:           "CREATE",
	CmdCreated:          "CREATED",
	CmdRelay:            "RELAY",
	CmdDestroy:          "DESTROY",
	CmdCreateFast:       "CREATE_FAST",
	CmdCreatedFast:      "CREATED_FAST",
	CmdVersions:         "VERSIONS",
	CmdNetinfo:          "NETINFO",
	CmdRelayEarly:       "RELAY_EARLY",
	CmdCreate2:          "CREATE2",
	CmdCreated2:         "CREATED2",
	CmdPaddingNegotiate: "PADDING_NEGOTIATE",
	CmdVPadding:         "VPADDING",
	CmdCerts:            "CERTS",
	CmdAuthChallenge:    "AUTH_CHALLENGE",
	CmdAuthenticate:     "AUTHENTICATE",
	CmdAuthorize:        "AUTHORIZE",
}

// String is the name in the specification, or "command 77".
func (c Command) String() string {
	if name, ok := commandNames[c]; ok {
		return name
	}
	return "command " + strconv.Itoa(int(c))
}

// IsVariable reports whether cells with this command carry their length, known to us or not.
func (c Command) IsVariable() bool { return c == CmdVersions || c >= CmdVPadding }
