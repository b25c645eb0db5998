package dircache

import (
	"context"
	"time"

	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// A Request is one that the cache does not know the answer to.
type Request struct {
	From            From
	Method          string // "GET" or "POST"
	Path            string // begins with "/tor/", without ".z"
	IfModifiedSince time.Time
	GenReason       string // why the descriptor of an upload was made
	Basic           string // see dirhttp.Query
	Body            []byte // of an upload
}

// A Reply is what a hook answers.
type Reply struct {
	Status int    // not looked at if there are documents: it is 200, then
	Reason string // such as "Not found"
	NotNew bool   // an uploaded descriptor that is much like the one before; Status is 200

	Docs     [][]byte      // sent one behind the other; must not change
	Lifetime time.Duration // how long proxies may keep them
	Plain    bool          // never compressed, such as what is encrypted
}

// callHook asks the hook and turns its reply into ours.
func (x *exchange) callHook(ctx context.Context, q *dirhttp.Query, path string, body []byte) reply {
	hook := x.s.cfg.Hook
	if hook == nil {
		return notFound()
	}
	h := hook(ctx, &Request{
		From: x.from, Method: q.Method, Path: path, IfModifiedSince: q.IfModifiedSince, GenReason: q.GenReason, Basic: q.Basic,
		Body: body,
	})
	switch {
	case h == nil:
		return notFound()
	case len(h.Docs) > 0:
		r := reply{status: dirhttp.StatusOK, docs: h.Docs, lifetime: h.Lifetime}
		r.ready = h.Plain
		return r
	}
	return reply{status: h.Status, reason: h.Reason, notNew: h.NotNew, outcome: outcomeOf(h.Status)}
}

func outcomeOf(status int) Outcome {
	switch status {
	case dirhttp.StatusOK:
		return Served
	case dirhttp.StatusNotModified:
		return NotModified
	case dirhttp.StatusNotFound:
		return NotFound
	case dirhttp.StatusBusy:
		return Busy
	}
	return Refused
}
