package testnet

import (
	"fmt"
	"io"
)

// announce says that the network is ready, and how to use and to watch it.
func announce(stdout io.Writer, n *Network, p *page) {
	ready := "ready"
	if clients := n.withRole(Client); len(clients) > 0 {
		ready += "        socks"
		for _, client := range clients {
			ready += " " + client.SOCKS
		}
		ready += fmt.Sprintf("  try: curl --socks5-hostname %s -o page %s", clients[0].SOCKS, p.url)
	}
	fmt.Fprintln(stdout, ready)
}

// instruct says how to look into the network and how to end it.
func instruct(stdout io.Writer, n *Network) {
	fmt.Fprintf(stdout, "consensus    tropea inspect http://%s%s\n", n.withRole(Authority)[0].DirPort, consensusPath)
	fmt.Fprintf(stdout, "logs         tail -F %s\n", nodeDir(n.Dir(), "*/log"))
	fmt.Fprintf(stdout, "status       tropea testnet status %s\n", n.Dir())
	fmt.Fprintf(stdout, "end          tropea testnet down %s\n", n.Dir())
}
