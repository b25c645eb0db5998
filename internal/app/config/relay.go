package config

import (
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/exitpolicy"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// Relay is what a daemon needs to be a relay.
type Relay struct {
	ORPorts  []ORPort // none: this is no relay
	DirPorts []DirPort

	Nickname  string   // "Unnamed" if not set
	Contact   string   // one line; empty if not set
	Addresses []string // Address lines: IP addresses, or names to look up
	Families  RelayFamilies
	Keys      RelayKeys

	Publish       bool // send the descriptor to the directory authorities
	AssumeIPv4    bool // AssumeReachable: publish without testing
	AssumeIPv6    torrc.AutoBool
	DirCache      bool
	FrontPage     string // file; empty for none
	DirPolicy     exitpolicy.Policy
	ExtendPrivate bool // ExtendAllowPrivateAddresses

	Exit      RelayExit
	DNS       RelayDNS
	Bandwidth RelayBandwidth
	Account   Accounting
	Limits    RelayLimits
	DoS       DoS
	Stats     RelayStats
	Outbound  Outbound
	Heartbeat time.Duration // HeartbeatPeriod; 0 for never
}

// ORPort is a place where links are accepted.
type ORPort struct {
	Listen      torrc.Listen // Addr has no IP address that is valid where NoListen holds and none was given
	NoAdvertise bool
	NoListen    bool
	IPv4Only    bool
	IPv6Only    bool
}

// DirPort is a place where directory requests are taken over HTTP.
type DirPort ORPort

// RelayFamilies are the families that the relay is in.
type RelayFamilies struct {
	Members   []string // MyFamily: fingerprints with $, or nicknames
	IDs       []string // FamilyId: texts of family keys
	AnyID     bool     // FamilyId *: every key in Directory
	Directory string   // FamilyKeyDirectory; the key directory if empty
}

// RelayKeys says how keys are kept.
type RelayKeys struct {
	Directory          string // KeyDirectory; empty for keys/ in the data directory
	GroupReadable      bool
	OfflineMaster      bool
	SigningKeyLifetime time.Duration
	TLSLifetime        time.Duration // 0: drawn

	// What test networks shorten; 0 is the default.
	LinkCertLifetime, AuthKeyLifetime        time.Duration
	SigningKeySlop, LinkKeySlop, AuthKeySlop time.Duration
}

// RelayExit says where streams may go from here.
type RelayExit struct {
	Exit          torrc.AutoBool    // ExitRelay
	IPv6          bool              // IPv6Exit
	Own           exitpolicy.Config // for exitpolicy.Own; its addresses of this machine are not set
	RejectLocal   bool              // ExitPolicyRejectLocalInterfaces
	RejectPrivate bool
	Reevaluate    bool
	RefuseUnknown torrc.AutoBool // RefuseUnknownExits
}

// RelayDNS says how names are looked up for clients.
type RelayDNS struct {
	ResolvConf      string // empty: the system's
	SearchDomains   bool
	AllowBroken     bool
	DetectHijacking bool
	TestAddresses   []string
	OddHostnames    bool
	RandomizeCase   bool
}

// RelayBandwidth is in bytes and bytes per second; 0 in a Relay or PerConn field is no limit of its own.
type RelayBandwidth struct {
	Rate, Burst           uint64
	RelayRate, RelayBurst uint64
	PerConnRate           uint64
	PerConnBurst          uint64
	MaxAdvertised         uint64
	CountPrivate          bool
}

// Outbound is where connections to relays come from; invalid addresses leave it to the system.
type Outbound struct {
	OR4, OR6     netip.Addr // OutboundBindAddressOR, or OutboundBindAddress
	Exit4, Exit6 netip.Addr // OutboundBindAddressExit, or OutboundBindAddress
}

// Accounting bounds what is used in a period of time.
type Accounting struct {
	Max   uint64 // bytes; 0 for no accounting
	Rule  AccountingRule
	Start AccountingStart
}

// AccountingRule says what counts.
type AccountingRule uint8

// The rules.
const (
	AccountMax AccountingRule = iota // the larger of both directions
	AccountSum
	AccountIn
	AccountOut
)

// AccountingStart says when periods begin, in local time.
type AccountingStart struct {
	Unit         AccountingUnit
	Day          int // of the month, 1 to 28, or of the week, 1 (Monday) to 7
	Hour, Minute int
}

// AccountingUnit is how long a period is.
type AccountingUnit uint8

// The units.
const (
	AccountMonth AccountingUnit = iota
	AccountWeek
	AccountDay
)

// RelayLimits bound what the relay takes.
type RelayLimits struct {
	MaxOnionDelay   time.Duration // MaxOnionQueueDelay; 0: what the consensus says
	MaxMemInQueues  uint64        // bytes; 0: chosen by the machine's memory
	ConnLimit       int           // file descriptors that must be there
	ShutdownWait    time.Duration
	DisableOOSCheck bool
	MaxHSDirCache   uint64
	MaxConsensusAge time.Duration // MaxConsensusAgeForDiffs; 0: what the consensus says
	NumCPUs         int           // 0: all
}

// DoS has the settings of the defences; a number of 0, and auto, leave it to the consensus.
type DoS struct {
	CircuitCreation torrc.AutoBool
	Circuit         struct {
		MinConnections, Rate, Burst, Defense int
		Period                               time.Duration
	}
	Connection torrc.AutoBool
	Conn       struct {
		MaxConcurrent, ConnectRate, ConnectBurst, Defense int
		Period                                            time.Duration
	}
	StreamCreation torrc.AutoBool
	Stream         struct{ Rate, Burst, Defense int }
	SingleHopRend  torrc.AutoBool // DoSRefuseSingleHopClientRendezvous
}

// RelayStats says which statistics are published.
type RelayStats struct {
	ExtraInfo                                                                      bool // in the extra-info document at all
	Cell, ConnDirection, DirReq, Entry, ExitPort, HiddenService, Overload, Padding bool
	GeoIP, GeoIP6                                                                  string // files
}
