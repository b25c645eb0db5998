package hsdir

import (
	"context"
	"strings"

	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/netdoc"
)

// Paths of requests.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html
const (
	prefix  = "/tor/hs/"
	fetch   = prefix + "3/"
	publish = prefix + "3/publish"
)

// Hook answers requests for descriptors, and uploads of them, as C tor does (handle_get_hs_descriptor_v3,
// handle_post_hs_descriptor in dircache.c). It returns nil for what is none of these.
func (d *Dir) Hook(_ context.Context, r *dircache.Request) *dircache.Reply {
	switch {
	case r.Method == "POST" && strings.HasPrefix(r.Path, prefix):
		return d.post(r)
	case r.Method == "GET" && strings.HasPrefix(r.Path, fetch):
		return d.get(r)
	}
	return nil
}

// MaxUpload tells how long the body of a POST may be, in bytes; 0 if its path is not ours. It is for [dircache.Config].
func (d *Dir) MaxUpload(path string, _ dircache.From) int {
	if !strings.HasPrefix(path, prefix) {
		return 0
	}
	return int(d.size.Load()) - 1
}

// anonymous tells whether a request came in a circuit of which another relay is part. A client that asks directly gets
// nothing: we would know who visits, or runs, which service.
func anonymous(r *dircache.Request) bool { return r.From.Stream && r.From.Anonymous }

func (d *Dir) get(r *dircache.Request) *dircache.Reply {
	if !anonymous(r) {
		return &dircache.Reply{Status: dirhttp.StatusBusy, Reason: "Rejecting single hop HS v3 descriptor request"}
	}
	var key [32]byte
	if netdoc.ParseBase64(key[:], []byte(r.Path[len(fetch):])) == nil {
		if text, ok := d.lookup(&key); ok {
			return &dircache.Reply{Docs: [][]byte{text}, Plain: true}
		}
	}
	return &dircache.Reply{Status: dirhttp.StatusNotFound, Reason: "Not found"}
}

func (d *Dir) post(r *dircache.Request) *dircache.Reply {
	if !anonymous(r) {
		return &dircache.Reply{Status: dirhttp.StatusBusy, Reason: "Rejecting single hop HS descriptor post"}
	}
	refused := &dircache.Reply{Status: dirhttp.StatusBadRequest, Reason: "Invalid HS descriptor. Rejected."}
	if !strings.HasPrefix(r.Path, publish) {
		return refused // another version
	}
	if err := d.store(r.Body); err != nil {
		d.cfg.Env.Log.Debug("Descriptor of an onion service refused", "err", err)
		return refused
	}
	return &dircache.Reply{Status: dirhttp.StatusOK, Reason: "HS descriptor stored successfully."}
}
