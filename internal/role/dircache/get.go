package dircache

import (
	"context"
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// How long proxies may keep documents, as C tor says. A consensus is kept while it is fresh.
const (
	lifetimeAll       = time.Hour // of all descriptors
	lifetimeOne       = 48 * time.Hour
	lifetimeMicro     = 48 * time.Hour
	lifetimeKeys      = time.Hour
	lifetimeRobots    = 24 * time.Hour
	lifetimeFrontPage = 20 * time.Minute
)

var robots = []byte("User-agent: *\r\nDisallow: /\r\n")

// get answers a GET (directory_handle_command_get in C tor).
func (x *exchange) get(ctx context.Context, q *dirhttp.Query, path string) reply {
	res, err := dirhttp.ParseResource(path)
	x.event.Kind = res.Kind
	if err != nil {
		if res.Kind == dirhttp.Consensus && errors.Is(err, dirhttp.ErrSyntax) {
			return short(dirhttp.StatusNotFound, "Couldn't parse request", NotFound)
		}
		return badRequest()
	}
	switch res.Kind {
	case dirhttp.Other:
		return x.callHook(ctx, q, path, nil)
	case dirhttp.FrontPage:
		return x.frontPage()
	case dirhttp.Robots:
		return reply{status: dirhttp.StatusOK, docs: [][]byte{robots}, ready: true, lifetime: lifetimeRobots, always: true}
	case dirhttp.Consensus:
		return x.consensus(q, &res.Consensus)
	case dirhttp.KeysAll, dirhttp.KeysOwn, dirhttp.KeysFP, dirhttp.KeysSK, dirhttp.KeysFPSK:
		return keysReply(x.s.cache.certsFor(&res), q.IfModifiedSince)
	case dirhttp.Micro:
		return docsReply(x.s.cache.microdescsFor(res.Microdescs), lifetimeMicro, "Not found")
	}
	return x.descriptors(&res)
}

func (x *exchange) frontPage() reply {
	if x.s.cfg.FrontPage == nil {
		return notFound()
	}
	return reply{
		status: dirhttp.StatusOK, docs: [][]byte{x.s.cfg.FrontPage}, ready: true, mime: "text/html", lifetime: lifetimeFrontPage,
		always: true,
	}
}

func docsReply(docs [][]byte, lifetime time.Duration, otherwise string) reply {
	if len(docs) == 0 {
		return short(dirhttp.StatusNotFound, otherwise, NotFound)
	}
	return reply{status: dirhttp.StatusOK, docs: docs, lifetime: lifetime}
}

// keysReply leaves out certificates that were published before the time that the client gives.
func keysReply(certs []*authcert.Cert, since time.Time) reply {
	if len(certs) == 0 {
		return notFound()
	}
	var docs [][]byte
	for _, c := range certs {
		if !c.Published.Before(since) {
			docs = append(docs, c.Text)
		}
	}
	if len(docs) == 0 {
		return notModified()
	}
	return docsReply(docs, lifetimeKeys, "")
}

// descriptors answers for router descriptors and extra-info documents (handle_get_descriptor in C tor).
func (x *exchange) descriptors(res *dirhttp.Resource) reply {
	if (x.s.cfg.Bridge || x.s.cfg.Bridges != nil) && res.Kind >= dirhttp.ExtraAll {
		return notFound()
	}
	cutoff := x.s.cfg.Env.Now().Add(-maxPublishAge)
	docs := append(x.s.cache.documentsFor(res, x.from.Stream, cutoff), x.bridges(res, cutoff)...)
	listed, lifetime, otherwise := len(res.Digests), time.Duration(0), "Not found"
	switch res.Kind {
	case dirhttp.ServerAll, dirhttp.ExtraAll:
		listed, lifetime = len(docs), lifetimeAll
	case dirhttp.ServerOwn, dirhttp.ExtraOwn:
		listed = len(docs)
		lifetime = lifetimeOne
	default:
		if listed == 1 {
			lifetime = lifetimeOne
		}
	}
	if listed == 0 || len(docs) == 0 && !x.from.Stream {
		otherwise = "Servers unavailable"
	}
	return docsReply(docs, lifetime, otherwise)
}

// bridges finds descriptors of bridges. Who asks for all of them gets none, whatever the connection.
func (x *exchange) bridges(res *dirhttp.Resource, cutoff time.Time) (texts [][]byte) {
	b := x.s.cfg.Bridges
	if b == nil || !x.from.Stream {
		return nil
	}
	for _, id := range res.Digests {
		var d *Document
		switch res.Kind {
		case dirhttp.ServerDigest:
			d = b.ByDigest(id)
		case dirhttp.ServerFP:
			if d = b.ByFingerprint(id); d != nil && d.Published.Before(cutoff) {
				d = nil
			} else if d != nil {
				b.Served(id)
			}
		}
		if d != nil {
			texts = append(texts, d.Text)
		}
	}
	return texts
}
