package relaymsg

import "strconv"

// Command says what a relay message is for.
// https://spec.torproject.org/tor-spec/relay-cells.html
type Command uint8

// The commands in use. XOFF and XON are numbered as on the network.
const (
	CmdBegin                 Command = 1
	CmdData                  Command = 2
	CmdEnd                   Command = 3
	CmdConnected             Command = 4
	CmdSendme                Command = 5
	CmdExtend                Command = 6
	CmdExtended              Command = 7
	CmdTruncate              Command = 8
	CmdTruncated             Command = 9
	CmdDrop                  Command = 10
	CmdResolve               Command = 11
	CmdResolved              Command = 12
	CmdBeginDir              Command = 13
	CmdExtend2               Command = 14
	CmdExtended2             Command = 15
	CmdConfluxLink           Command = 19
	CmdConfluxLinked         Command = 20
	CmdConfluxLinkedAck      Command = 21
	CmdConfluxSwitch         Command = 22
	CmdEstablishIntro        Command = 32
	CmdEstablishRendezvous   Command = 33
	CmdIntroduce1            Command = 34
	CmdIntroduce2            Command = 35
	CmdRendezvous1           Command = 36
	CmdRendezvous2           Command = 37
	CmdIntroEstablished      Command = 38
	CmdRendezvousEstablished Command = 39
	CmdIntroduceAck          Command = 40
	CmdPaddingNegotiate      Command = 41
	CmdPaddingNegotiated     Command = 42
	CmdXoff                  Command = 43
	CmdXon                   Command = 44
)

var commandNames = [...]string{
	CmdBegin:                 "BEGIN",
	CmdData:                  "DATA",
	CmdEnd:                   "END",
	CmdConnected:             "CONNECTED",
	CmdSendme:                "SENDME",
	CmdExtend:                "EXTEND",
	CmdExtended:              "EXTENDED",
	CmdTruncate:              "TRUNCATE",
	CmdTruncated:             "TRUNCATED",
	CmdDrop:                  "DROP",
	CmdResolve:               "RESOLVE",
	CmdResolved:              "RESOLVED",
	CmdBeginDir:              "BEGIN_DIR",
	CmdExtend2:               "EXTEND2",
	CmdExtended2:             "EXTENDED2",
	CmdConfluxLink:           "CONFLUX_LINK",
	CmdConfluxLinked:         "CONFLUX_LINKED",
	CmdConfluxLinkedAck:      "CONFLUX_LINKED_ACK",
	CmdConfluxSwitch:         "CONFLUX_SWITCH",
	CmdEstablishIntro:        "ESTABLISH_INTRO",
	CmdEstablishRendezvous:   "ESTABLISH_RENDEZVOUS",
	CmdIntroduce1:            "INTRODUCE1",
	CmdIntroduce2:            "INTRODUCE2",
	CmdRendezvous1:           "RENDEZVOUS1",
	CmdRendezvous2:           "RENDEZVOUS2",
	CmdIntroEstablished:      "INTRO_ESTABLISHED",
	CmdRendezvousEstablished: "RENDEZVOUS_ESTABLISHED",
	CmdIntroduceAck:          "INTRODUCE_ACK",
	CmdPaddingNegotiate:      "PADDING_NEGOTIATE",
	CmdPaddingNegotiated:     "PADDING_NEGOTIATED",
	CmdXoff:                  "XOFF",
	CmdXon:                   "XON",
}

// Known reports whether the command is one of the constants above. Unknown commands are dropped in format V0 and close
// the circuit in format V1.
func (c Command) Known() bool { return int(c) < len(commandNames) && commandNames[c] != "" }

// String is the name in the specification, or "relay command 77".
func (c Command) String() string {
	if c.Known() {
		return commandNames[c]
	}
	return "relay command " + strconv.Itoa(int(c))
}

// ofStream has a bit for each command that is about a stream.
const ofStream uint64 = 1<<CmdBegin | 1<<CmdData | 1<<CmdEnd | 1<<CmdConnected | 1<<CmdResolve | 1<<CmdResolved |
	1<<CmdBeginDir | 1<<CmdXoff | 1<<CmdXon

// HasStream reports whether the command is about a stream, and so needs a stream id. All others are about the circuit and
// have none; only SENDME, in format V0, may be either.
// https://spec.torproject.org/tor-spec/relay-cells.html
func (c Command) HasStream() bool { return c < 64 && ofStream>>c&1 != 0 }

// obsolete reports whether the command belongs to TAP, which nobody may use any more.
func (c Command) obsolete() bool { return c == CmdExtend || c == CmdExtended }
