package testnet

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// Role is what a node does in the network. Nodes are named after it: relay1, relay2.
type Role string

// The roles.
const (
	Authority Role = "authority"
	Relay     Role = "relay"
	Exit      Role = "exit"
	Client    Role = "client"
	Onion     Role = "onion" // a client that is an onion service
)

// Roles are all roles, in the order in which their nodes start.
var Roles = []Role{Authority, Relay, Exit, Client, Onion}

// relays tells whether nodes of the role are in the consensus.
func (r Role) relays() bool { return r == Authority || r == Relay || r == Exit }

// None is the count of a role that the network does without.
const None = -1

// All stands for all nodes, as a key of Bins and Torrc.
const All = "all"

// Config describes a network. The zero value is three authorities, three relays, two exits and a client, all of them this
// very program.
type Config struct {
	// How many nodes of each role. 0 is the default of 3, 3, 2 and 1.
	Authorities, Relays, Exits, Clients int

	// Onions is how many onion services there are, whose port 80 leads to OnionTarget, host:port. There are none by default.
	Onions      int
	OnionTarget string

	// Bins has the program of a node ("relay2"), of a role ("relay") or of [All]; a node's own entry comes first, then that of
	// its role. A name without a slash is looked up in PATH: "tor" is C tor. Without an entry it is the program that calls.
	Bins map[string]string

	// Torrc has more torrc lines for a node, a role or All; a node gets those of all three. Exits let through what their
	// ExitPolicy lines do not reject.
	Torrc map[string][]string

	// Dir is the network's directory, which is kept. Without one the network has a temporary directory.
	Dir string

	// Voting is how often the authorities vote, 10 seconds without one. It must divide a day and half an hour, and is at
	// least 10 seconds. A longer interval disturbs measurements less and takes longer to come up.
	Voting time.Duration

	// LogLevel is the lowest level in the logs: info without one, at which C tor tells what peers did wrong.
	LogLevel string

	// Begin is told the stages of the start when they begin: the i-th of n. It may be nil.
	Begin func(stage string, i, n int)
	// Progress is told the stages of the start and what each took. It may be nil.
	Progress func(stage string, took time.Duration)
}

const (
	defaultVoting = 10 * time.Second
	minVoting     = 10 * time.Second // MIN_VOTE_INTERVAL_TESTING of C tor
	maxNodes      = 200              // of a role
)

func (c Config) withDefaults() (Config, error) {
	for _, n := range []struct {
		count *int
		def   int
	}{{&c.Authorities, 3}, {&c.Relays, 3}, {&c.Exits, 2}, {&c.Clients, 1}, {&c.Onions, 0}} {
		switch {
		case *n.count == 0:
			*n.count = n.def
		case *n.count == None:
			*n.count = 0
		case *n.count < 0 || *n.count > maxNodes:
			return c, fmt.Errorf("%d nodes of a role: want 1 to %d, or None", *n.count, maxNodes)
		}
	}
	if c.Authorities == 0 {
		return c, fmt.Errorf("a network needs an authority")
	}
	if c.Voting == 0 {
		c.Voting = defaultVoting
	}
	if c.Voting < minVoting || 30*time.Minute%c.Voting != 0 {
		return c, fmt.Errorf("voting interval %v: want at least %v, and it must divide 30 minutes", c.Voting, minVoting)
	}
	if c.LogLevel == "" {
		c.LogLevel = "info"
	}
	if c.Begin == nil {
		c.Begin = func(string, int, int) {}
	}
	if c.Progress == nil {
		c.Progress = func(string, time.Duration) {}
	}
	return c, nil
}

// roleOf is the role that a node's name tells.
func roleOf(name string) (Role, error) {
	base := Role(strings.TrimRight(name, "0123456789"))
	for _, r := range Roles {
		if r == base {
			return r, nil
		}
	}
	return "", fmt.Errorf("%q is no node: want all, authority, relay, exit, client or onion, the latter alone or with a number", name)
}

// checkNames refuses entries that no node would ever use.
func (c *Config) checkNames() error {
	for name := range c.Bins {
		if _, err := roleOf(name); err != nil && name != All {
			return fmt.Errorf("program: %w", err)
		}
	}
	for name := range c.Torrc {
		if _, err := roleOf(name); err != nil && name != All {
			return fmt.Errorf("torrc: %w", err)
		}
	}
	return nil
}

// bin is the path of a node's program.
func (c *Config) bin(name string, role Role) (string, error) {
	for _, key := range []string{name, string(role), All} {
		if bin, ok := c.Bins[key]; ok {
			return findBin(name, bin)
		}
	}
	path, err := os.Executable()
	if err == nil && strings.HasSuffix(strings.TrimSuffix(path, ".exe"), ".test") {
		err = fmt.Errorf("%s: name its program, a test is none", name)
	}
	return path, err
}

func findBin(name, bin string) (string, error) {
	path, err := ctor.Find(bin)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return path, nil
}
