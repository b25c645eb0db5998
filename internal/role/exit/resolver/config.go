package resolver

import (
	"io"
	"os"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/event"
)

// Config is what a Resolver needs. All but Env may be zero, which means C tor's defaults.
type Config struct {
	Env    env.Env    // its Net should be a netx.PacketNetwork too; else every query goes over TCP
	Events *event.Bus // gets Event values; may be nil

	ResolvConf string                            // ServerDNSResolvConfFile; /etc/resolv.conf
	ReadFile   func(name string) ([]byte, error) // reads ResolvConf; the file system's if nil

	SearchDomains           bool     // ServerDNSSearchDomains: try the system's search domains
	RefuseBrokenConfig      bool     // ServerDNSAllowBrokenConfig 0: Reload fails rather than falling back to 127.0.0.1
	NoHijackTest            bool     // ServerDNSDetectHijacking 0
	TestAddresses           []string // ServerDNSTestAddresses: names that surely exist; nil means C tor's, empty none
	AllowNonRFC953Hostnames bool     // ServerDNSAllowNonRFC953Hostnames: names with odd characters
	NoRandomizeCase         bool     // ServerDNSRandomizeCase 0

	// MaxInflight is how many look-ups ask servers at a time, each with a socket and some 16 KiB; 8192. MaxQueued is how
	// many more wait for their turn, with some 8 KiB each; 8192. Those beyond are refused with ErrBusy.
	MaxInflight, MaxQueued int

	MaxCached int // answers in the cache; 65536, of some 300 bytes each
}

// defaultTestAddresses are C tor's.
var defaultTestAddresses = []string{"www.google.com", "www.mit.edu", "www.yahoo.com", "www.slashdot.org"}

// maxResolvConf bounds what is read of resolv.conf, in bytes.
const maxResolvConf = 1 << 20

func (c Config) withDefaults() Config {
	if c.ResolvConf == "" {
		c.ResolvConf = "/etc/resolv.conf"
	}
	if c.ReadFile == nil {
		c.ReadFile = readFile
	}
	if c.TestAddresses == nil {
		c.TestAddresses = defaultTestAddresses
	}
	if c.MaxInflight == 0 {
		c.MaxInflight = 8192 // C tor: configure_libevent_options
	}
	if c.MaxQueued == 0 {
		c.MaxQueued = 8192
	}
	if c.MaxCached == 0 {
		c.MaxCached = 65536
	}
	return c
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxResolvConf))
}
