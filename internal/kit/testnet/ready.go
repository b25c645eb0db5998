package testnet

import (
	"fmt"
	"io"
	"strings"
)

// announce says that the network is ready, and how to use it.
func (s *status) announce(stdout io.Writer) {
	for _, url := range s.onions() {
		fmt.Fprintf(stdout, "onion        %s\n", url)
	}
	socks := s.socks()
	if len(socks) == 0 {
		fmt.Fprintln(stdout, "ready")
		return
	}
	fmt.Fprintf(stdout, "ready        socks %s  try: curl --socks5-hostname %s -o page %s\n", strings.Join(socks, " "), socks[0], s.url)
}

// instruct says how to look into the network and how to end it.
func (s *status) instruct(stdout io.Writer) {
	fmt.Fprintf(stdout, "consensus    tropea inspect http://%s%s\n", s.nodes[0].dirPort, consensusPath) // authorities come first
	fmt.Fprintf(stdout, "logs         tail -F %s\n", s.logs)
	fmt.Fprintf(stdout, "status       tropea testnet status %s\n", s.dir)
	fmt.Fprintf(stdout, "end          tropea testnet down %s\n", s.dir)
}
