package testnet

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// bandwidthPath is the file from which authorities take the bandwidths of relays.
func (n *Network) bandwidthPath() string { return filepath.Join(n.dir.path, "bandwidths") }

// writeBandwidths gives all relays the same bandwidth. Else it would be what each of them has carried so far, and clients
// would use one of them nearly always and another one hardly ever. Only three authorities or more have a say in it.
// https://spec.torproject.org/bandwidth-file-spec/
func (n *Network) writeBandwidths() error {
	n.bandwidths.Lock()
	defer n.bandwidths.Unlock()
	var text bytes.Buffer
	fmt.Fprintln(&text, time.Now().Unix())
	for _, node := range n.withRole(Authority, Relay, Exit) {
		fmt.Fprintf(&text, "node_id=$%s bw=1000\n", node.Fingerprint)
	}
	// Authorities read the file at each vote, and must find it whole.
	partial := n.bandwidthPath() + ".new"
	if err := os.WriteFile(partial, text.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(partial, n.bandwidthPath())
}
