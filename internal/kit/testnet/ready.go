package testnet

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// announce says that the network is ready: in one line for people, and in a file for scripts, which appears whole. The
// file has a keyword and a value a line: pid, dir, url of the page, and socks for each client.
func announce(stdout io.Writer, file string, n *Network, p *page) error {
	var socks []string
	for _, client := range n.withRole(Client) {
		socks = append(socks, client.SOCKS)
	}
	if len(socks) == 0 {
		fmt.Fprintln(stdout, "ready")
	} else {
		fmt.Fprintf(stdout, "ready        socks %s  try: curl --socks5-hostname %s -o page %s\n", strings.Join(socks, " "), socks[0], p.url)
	}
	if file == "" {
		return nil
	}
	text := fmt.Sprintf("pid %d\ndir %s\nurl %s\n", os.Getpid(), n.Dir(), p.url)
	for _, addr := range socks {
		text += "socks " + addr + "\n"
	}
	partial := file + ".new"
	if err := os.WriteFile(partial, []byte(text), 0o600); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	if err := os.Rename(partial, file); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}
