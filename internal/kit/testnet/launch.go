package testnet

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

const (
	launches  = 8 // how many nodes start at once
	portTries = 5 // how often nodes get other ports
)

// makeKeys gives authorities and relays their identities, so that every torrc can name them, and with them their
// bandwidths. The search for primes keeps a processor busy.
func (n *Network) makeKeys() error {
	err := each(n.withRole(Authority, Relay, Exit), runtime.NumCPU(), func(node *Node) (err error) {
		if node.Fingerprint, err = newIdentity(node.Dir); err == nil && node.Role == Authority {
			node.v3ident, err = newVoter(node.Dir)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", node.Name, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return n.writeBandwidths()
}

// launch starts nodes that must know each other's ports, and returns when these are open. If one loses a port to another
// program, all get new ones.
func launch(ctx context.Context, nodes []*Node) error {
	for try := 1; ; try++ {
		if err := each(nodes, 1, (*Node).reservePorts); err != nil {
			return err
		}
		err := each(nodes, launches, func(node *Node) error { return node.launch(ctx) })
		if !errors.Is(err, errPortTaken) || try == portTries {
			return err
		}
		if err := each(nodes, len(nodes), (*Node).Stop); err != nil {
			return err
		}
	}
}

// launchEach starts nodes that do not know each other.
func launchEach(ctx context.Context, nodes []*Node) error {
	return each(nodes, launches, func(node *Node) error { return launch(ctx, []*Node{node}) })
}

func waitReady(ctx context.Context, nodes []*Node) error {
	return each(nodes, len(nodes)+1, func(node *Node) error { return node.WaitReady(ctx) })
}

// each calls f for all items, at most limit at a time, and joins the errors.
func each[T any](items []T, limit int, f func(T) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(items))
	slots := make(chan struct{}, limit)
	for i, item := range items {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = f(item)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
