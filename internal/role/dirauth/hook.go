package dirauth

import (
	"context"
	"encoding/hex"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/detachedsig"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// Paths of requests about the consensus that is voted on, and about the one in force.
//
// https://spec.torproject.org/dir-spec/general-use-http-urls.html
const (
	nextPrefix    = "/tor/status-vote/next/"
	currentPrefix = "/tor/status-vote/current/"
)

// voteLifetime is how long proxies may keep votes and signatures (dircache.c in C tor).
const voteLifetime = 5 * time.Minute

// maxIdentities bounds the votes of one request.
const maxIdentities = 64

// Hook answers what authorities ask of each other, and takes votes and signatures. It returns nil for what is none of these. It
// is for [dircache.Config].
func (a *Authority) Hook(_ context.Context, r *dircache.Request) *dircache.Reply {
	switch {
	case r.Method == "POST" && r.Path == dirhttp.PathUploadVote:
		x := a.round.addVotes(r.Body, fromPost, r.From.Addr.String(), a.cfg.Env.Now())
		return &dircache.Reply{Status: x.status, Reason: x.text}
	case r.Method == "POST" && r.Path == dirhttp.PathUploadSignature:
		x := a.round.addSignatures(r.Body, r.From.Addr.String())
		return &dircache.Reply{Status: x.status, Reason: x.text}
	case r.Method != "GET":
		return nil
	}
	docs := a.find(r.Path)
	if len(docs) == 0 {
		return nil
	}
	return &dircache.Reply{Docs: docs, Lifetime: voteLifetime}
}

// MaxUpload tells how long the body of a POST may be, in bytes; 0 if its path is not ours. It is for [dircache.Config].
func (a *Authority) MaxUpload(path string, _ dircache.From) int {
	switch path {
	case dirhttp.PathUploadVote:
		return vote.MaxLen
	case dirhttp.PathUploadSignature:
		return detachedsig.MaxLen
	}
	return 0
}

// find returns the documents of a path.
func (a *Authority) find(path string) [][]byte {
	what, next := strings.CutPrefix(path, nextPrefix)
	if !next {
		var current bool
		if what, current = strings.CutPrefix(path, currentPrefix); !current {
			return nil
		}
	}
	one := func(doc []byte) [][]byte {
		if doc == nil {
			return nil
		}
		return [][]byte{doc}
	}
	switch {
	case what == "consensus" && next:
		return one(a.round.consensus(consensus.NS))
	case what == "consensus-microdesc" && next:
		return one(a.round.consensus(consensus.Microdesc))
	case what == "consensus-signatures" && next:
		return one(a.round.signatures())
	case what == "bandwidth" && next && a.cfg.Bandwidths != nil:
		text, err := a.cfg.Bandwidths()
		if err != nil {
			return nil
		}
		return one(text)
	case what == "authority":
		return a.round.voteTexts(next, a.cfg.Identity)
	}
	if list, ok := strings.CutPrefix(what, "d/"); ok {
		return a.round.votesByDigest(identities(list)...)
	}
	return a.round.voteTexts(next, identities(what)...)
}

// identities reads a list of digests in hexadecimal, with plus signs between them. What is none is left out.
func identities(text string) (list [][20]byte) {
	for word := range strings.SplitSeq(text, "+") {
		var id [20]byte
		if len(word) == 2*len(id) {
			if _, err := hex.Decode(id[:], []byte(word)); err == nil {
				list = append(list, id)
			}
		}
		if len(list) == maxIdentities {
			break
		}
	}
	return list
}
