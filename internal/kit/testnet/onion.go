package testnet

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

// onionPort is the port of the network's onion services.
const onionPort = "80"

// onionUp is in the logs of both programs when clients can find a service: ours says so, and C tor that a directory has its
// descriptor.
var onionUp = regexp.MustCompile(`Onion service is reachable|Uploading hidden service descriptor: finished with status 200`)

func (node *Node) serviceDir() string { return filepath.Join(ctor.DataDir(node.Dir), "service") }

// waitOnion returns when clients can find the service.
func (node *Node) waitOnion(ctx context.Context) error {
	_, err := node.Wait(ctx, onionUp)
	return err
}

// Hostname is the address of an onion service.
func (node *Node) Hostname() (string, error) {
	b, err := os.ReadFile(filepath.Join(node.serviceDir(), "hostname"))
	if err != nil {
		return "", fmt.Errorf("%s: %w", node.Name, err)
	}
	return strings.TrimSpace(string(b)), nil
}

func (t *builder) addOnion(node *Node, target string) {
	t.Add("SocksPort", "0")
	t.Add("HiddenServiceDir", node.serviceDir())
	t.Add("HiddenServicePort", onionPort, target)
	t.Add("Log", "info", "stdout") // where C tor tells of its descriptors
}
