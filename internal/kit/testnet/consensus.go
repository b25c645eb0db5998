package testnet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
)

const (
	consensusPath = "/tor/status-vote/current/consensus"
	maxConsensus  = 16 << 20
	// pollInterval is how often an authority is asked for the consensus, which it does not announce.
	pollInterval = 100 * time.Millisecond
)

// neededFlags are those without which clients leave a relay out of their paths.
var neededFlags = []string{"Fast", "Running", "Stable", "Valid"}

// WaitConsensus returns when all authorities that run serve a consensus in which all relays that run have the flags that
// paths need.
func (n *Network) WaitConsensus(ctx context.Context) error {
	var missing error
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for a complete consensus: %w (%w)", context.Cause(ctx), missing)
		case <-timer.C:
		}
		if missing = n.checkConsensus(ctx); missing == nil {
			return nil
		}
		timer.Reset(pollInterval)
	}
}

// checkConsensus tells what is still missing.
func (n *Network) checkConsensus(ctx context.Context) error {
	asked := 0
	for _, auth := range n.running(Authority) {
		flags, err := fetchFlags(ctx, auth.DirPort)
		if err != nil {
			return fmt.Errorf("%s: %w", auth.Name, err)
		}
		for _, relay := range n.running(Authority, Relay, Exit) {
			for _, flag := range neededFlags {
				if !slices.Contains(flags[relay.Name], flag) {
					return fmt.Errorf("%s: consensus has %s without flag %s", auth.Name, relay.Name, flag)
				}
			}
		}
		asked++
	}
	if asked == 0 {
		return errors.New("no authority is running")
	}
	return nil
}

// waitKnown returns when all relays that run know each other: a first consensus may have been without some of them, and
// exits refuse streams from relays that they do not know.
func (n *Network) waitKnown(ctx context.Context) error {
	relays := n.running(Authority, Relay, Exit)
	return each(relays, len(relays)+1, func(node *Node) error {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s: wait for a complete consensus: %w", node.Name, context.Cause(ctx))
			case <-timer.C:
			}
			missing, err := node.unknown(ctx, relays)
			if err != nil || missing == 0 {
				return err
			}
			timer.Reset(pollInterval)
		}
	})
}

// unknown counts the relays that are not in a node's consensus.
func (node *Node) unknown(ctx context.Context, relays []*Node) (int, error) {
	flags, err := node.knownFlags(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", node.Name, err)
	}
	missing := 0
	for _, relay := range relays {
		if !slices.Contains(flags[relay.Name], "Running") {
			missing++
		}
	}
	return missing, nil
}

// knownFlags asks a node for its consensus, and where it has no control port, its directory cache.
func (node *Node) knownFlags(ctx context.Context) (map[string][]string, error) {
	if !hasControlPort(node.Bin) {
		f, err := os.Open(filepath.Join(ctor.DataDir(node.Dir), "cached-microdesc-consensus"))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return scanFlags(f)
	}
	c, err := node.Control(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	lines, err := c.GetInfo("ns/all")
	if err != nil {
		return nil, err
	}
	return scanFlags(strings.NewReader(strings.Join(lines, "\n")))
}

// fetchFlags asks a directory for the consensus and returns the flags of each nickname.
// https://spec.torproject.org/dir-spec/directory-cache-operation.html
func fetchFlags(ctx context.Context, dirPort string) (map[string][]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+dirPort+consensusPath, nil)
	if err != nil {
		return nil, err
	}
	// C tor takes the transport's own "gzip" for leave to send deflate, which the transport does not undo.
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("no consensus: %s", resp.Status)
	}
	return scanFlags(io.LimitReader(resp.Body, maxConsensus))
}

// scanFlags reads the flags of each nickname from a consensus. It looks at two kinds of lines only: the network must be
// judged by something simpler than what is under test.
// https://spec.torproject.org/dir-spec/consensus-formats.html
func scanFlags(r io.Reader) (map[string][]string, error) {
	flags := map[string][]string{}
	nickname := ""
	s := bufio.NewScanner(r)
	s.Buffer(nil, maxConsensus)
	for s.Scan() {
		switch f := strings.Fields(s.Text()); {
		case len(f) > 1 && f[0] == "r":
			nickname = f[1]
		case len(f) > 0 && f[0] == "s" && nickname != "":
			flags[nickname] = f[1:]
		}
	}
	return flags, s.Err()
}
