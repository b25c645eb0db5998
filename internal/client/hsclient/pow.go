package hsclient

import (
	"context"
	crand "crypto/rand"
	"time"

	"github.com/tropea-net/tropea/internal/crypt/hashx"
	"github.com/tropea-net/tropea/internal/crypt/hspow"
	"github.com/tropea-net/tropea/internal/lib/execmem"
	"github.com/tropea-net/tropea/internal/wire/circext"
)

// prove makes a proof of work. Only one is made at a time, whatever services ask for, and it ends with ctx.
//
// https://spec.torproject.org/hspow-spec/v1-equix.html
func (c *Client) prove(ctx context.Context, blinded, seed [32]byte, effort uint32) (circext.ProofOfWork, error) {
	select {
	case c.pow <- struct{}{}:
		defer func() { <-c.pow }()
	case <-ctx.Done():
		return circext.ProofOfWork{}, context.Cause(ctx)
	}
	var mem hashx.Memory
	if m, err := execmem.New(hashx.MaxCode); err == nil { // else programs are interpreted
		defer m.Close()
		mem = m
	}
	began := time.Now()
	solver := hspow.NewSolver(mem)
	var nonce [16]byte
	crand.Read(nonce[:])
	solver.Start(blinded, seed, effort, nonce)
	for ctx.Err() == nil {
		if p, ok := solver.Step(1); ok {
			c.log.Debug("proof of work made", "effort", effort, "took", time.Since(began).Round(time.Millisecond), "compiled", mem != nil)
			return p, nil
		}
	}
	return circext.ProofOfWork{}, context.Cause(ctx)
}
