package resolver

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Limits on what is taken from a resolv.conf.
const (
	maxServers  = 16
	maxSearch   = 32
	maxNdots    = 15 // the limits of options are those of the GNU C library
	maxTimeout  = 30 * time.Second
	maxAttempts = 5
)

// A resolvConf is what a resolv.conf says.
type resolvConf struct {
	servers  []netip.AddrPort
	search   []string      // without the dot at the end; lower case
	ndots    int           // names with fewer dots are tried with the search domains first
	timeout  time.Duration // of one attempt; 0 if it is silent
	attempts int           // 0 if it is silent
}

const dnsPort = 53

// fallbackConf is what is used when there is no usable resolv.conf, as in C tor.
func fallbackConf() *resolvConf {
	return &resolvConf{servers: []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), dnsPort)}, ndots: 1}
}

// parseResolvConf reads a resolv.conf. What it does not understand is left out: other programs' options are no reason to
// go without DNS. The last of several "search" and "domain" lines counts.
//
// https://man7.org/linux/man-pages/man5/resolv.conf.5.html
func parseResolvConf(data []byte) *resolvConf {
	c := &resolvConf{ndots: 1}
	for line := range strings.Lines(string(data)) {
		if i := strings.IndexAny(line, "#;"); i == 0 {
			continue
		}
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			c.addServer(words[1])
		case "domain":
			c.setSearch(words[1:2])
		case "search":
			c.setSearch(words[1:])
		case "options":
			for _, w := range words[1:] {
				c.setOption(w)
			}
		}
	}
	return c
}

// addServer takes an address, or an address and a port as libevent does.
func (c *resolvConf) addServer(word string) {
	server, err := netip.ParseAddrPort(word)
	if err != nil {
		addr, err := netip.ParseAddr(word)
		if err != nil {
			return
		}
		server = netip.AddrPortFrom(addr.Unmap(), dnsPort)
	}
	if server.Port() == 0 || len(c.servers) == maxServers {
		return
	}
	for _, s := range c.servers {
		if s == server {
			return
		}
	}
	c.servers = append(c.servers, server)
}

func (c *resolvConf) setSearch(domains []string) {
	c.search = nil
	for _, d := range domains {
		d = asciiLower(strings.TrimSuffix(strings.TrimPrefix(d, "."), "."))
		if _, err := splitName(d, false); err == nil && len(c.search) < maxSearch {
			c.search = append(c.search, d)
		}
	}
}

func (c *resolvConf) setOption(word string) {
	key, value, _ := strings.Cut(word, ":")
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return
	}
	switch key {
	case "ndots":
		c.ndots = int(min(n, maxNdots))
	case "timeout":
		c.timeout = min(time.Duration(max(n, 1))*time.Second, maxTimeout)
	case "attempts":
		c.attempts = int(min(max(n, 1), maxAttempts))
	}
}
