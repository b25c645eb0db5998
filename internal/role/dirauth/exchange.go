package dirauth

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// exchangeTimeout is how long one authority may take for what we send or ask.
const exchangeTimeout = 2 * time.Minute

// eachVoter calls f for every other authority and each address of it, one after the other until one answers, and returns when
// all are done.
func (a *Authority) eachVoter(ctx context.Context, what string, f func(ctx context.Context, to netip.AddrPort) (string, error)) {
	var wg sync.WaitGroup
	for _, v := range a.cfg.Voters {
		if v.V3Ident == a.cfg.Identity {
			continue
		}
		safego.Go(&wg, a.log, what, func() {
			ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
			defer cancel()
			for _, to := range v.Dirs {
				text, err := f(ctx, to)
				if err != nil {
					safelog.Notice(a.log, "Another authority does not answer", "what", what, "authority", v.Nickname, "err", err)
					continue
				}
				a.log.Debug("Exchange with another authority", "what", what, "authority", v.Nickname, "answer", text)
				break
			}
		})
	}
	wg.Wait()
}

// post sends a document to all other authorities.
func (a *Authority) post(ctx context.Context, what, path string, body []byte) {
	a.eachVoter(ctx, what, func(ctx context.Context, to netip.AddrPort) (string, error) {
		r, err := dirclient.Post(ctx, a.cfg.Env.Net, to, path, body, "")
		if err == nil && r.Status != 200 {
			a.log.Warn("Another authority does not take what we send", "what", what, "status", r.Status, "reason", r.Reason)
		}
		return r.Reason, err
	})
}

// get asks all other authorities for documents, and hands to take what they give.
func (a *Authority) get(ctx context.Context, what, path string, maxBody int, take func(body []byte, from string)) {
	c := dirclient.Client{Now: a.cfg.Env.Now, Net: a.cfg.Env.Net}
	a.eachVoter(ctx, what, func(ctx context.Context, to netip.AddrPort) (string, error) {
		resp, err := c.Get(ctx, circmgr.DirServer{}, dirclient.Request{Path: path, DirPort: to, MaxBody: maxBody})
		if err != nil {
			return "", err
		}
		take(resp.Body, to.String())
		return "", nil
	})
}

// fetchVotes asks the others for the votes that have not come.
func (a *Authority) fetchVotes(ctx context.Context) {
	missing := a.round.missing()
	if len(missing) == 0 {
		return
	}
	safelog.Notice(a.log, "Votes are missing: asking the other authorities for them", "of", ids(missing))
	path := dirhttp.PrefixVote + strings.Join(ids(missing), "+") + ".z"
	a.get(ctx, "votes", path, len(missing)*vote.MaxLen, func(body []byte, from string) {
		a.round.addVotes(body, fromFetch, from, a.cfg.Env.Now())
	})
}

// fetchMissing fetches the descriptors that a vote refers to from the authority that made it.
func (a *Authority) fetchMissing(ctx context.Context, v *vote.Vote) {
	digests := a.cfg.Missing(v)
	i := slices.IndexFunc(a.cfg.Voters, func(o Voter) bool { return o.V3Ident == v.Cert.Fingerprint })
	if len(digests) == 0 || i < 0 {
		return
	}
	a.log.Debug("Descriptors that a vote refers to are fetched", "authority", v.Source.Nickname, "count", len(digests))
	c := dirclient.Client{Now: a.cfg.Env.Now, Net: a.cfg.Env.Net}
	for part := range slices.Chunk(digests, dirhttp.MaxDirectDigests) {
		path, err := dirhttp.DigestPath(dirhttp.PrefixServer, part)
		if err != nil {
			a.log.Warn("Descriptors cannot be asked for", "err", err)
			return
		}
		for _, to := range a.cfg.Voters[i].Dirs {
			one, cancel := context.WithTimeout(ctx, exchangeTimeout)
			resp, err := c.Get(one, circmgr.DirServer{}, dirclient.Request{Path: path, DirPort: to, MaxBody: maxDescriptors})
			cancel()
			if err != nil {
				a.log.Debug("Descriptors that a vote refers to do not come", "authority", v.Source.Nickname, "err", err)
				continue
			}
			a.cfg.Take(resp.Body)
			break
		}
	}
}

// maxDescriptors bounds an answer with router descriptors, in bytes.
const maxDescriptors = 8 << 20

// fetchSignatures asks the others for the signatures that they have.
func (a *Authority) fetchSignatures(ctx context.Context) {
	if a.round.complete() {
		return
	}
	a.get(ctx, "signatures", dirhttp.PathNextSignatures, detachedsig.MaxLen, func(body []byte, from string) {
		a.round.addSignatures(body, from)
	})
}
