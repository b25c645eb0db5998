package simnet

import (
	"context"
	"fmt"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

const ownVote = "/tor/status-vote/next/authority"

// Lie makes an authority that has voted give another vote to some of the others: change says what is different in that. Those
// take it for the better one, since it is younger. It is to be called between the time when votes are made and the time when they
// are fetched.
func (n *Node) Lie(ctx context.Context, change func(*vote.Vote), to ...*Node) error {
	c := dirclient.Client{Now: time.Now, Net: n.door}
	resp, err := c.Get(ctx, circmgr.DirServer{}, dirclient.Request{Path: ownVote, DirPort: n.dir, MaxBody: vote.MaxLen})
	if err != nil {
		return fmt.Errorf("simnet: the vote of %s: %w", n.Name, err)
	}
	v, err := vote.Parse(resp.Body, vote.MinIntervalTesting)
	if err != nil {
		return err
	}
	v.Published = v.Published.Add(time.Second)
	change(v)
	text, err := v.Sign(n.net.keys[n.index].Signing)
	if err != nil {
		return err
	}
	for _, other := range to {
		r, err := dirclient.Post(ctx, n.door, other.dir, dirhttp.PathUploadVote, text, "")
		if err != nil {
			return err
		}
		if r.Status != dirhttp.StatusOK {
			return fmt.Errorf("simnet: %s does not take another vote of %s: %s", other.Name, n.Name, r.Reason)
		}
	}
	return nil
}
