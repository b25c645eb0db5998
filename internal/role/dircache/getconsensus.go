package dircache

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// consensus answers with a consensus or a diff to it (handle_get_current_consensus in C tor).
//
// https://spec.torproject.org/dir-spec/serving-and-requesting-diffs.html
func (x *exchange) consensus(q *dirhttp.Query, c *dirhttp.ConsensusPath) reply {
	flavor := consensus.NS // also for flavors that we do not know, as C tor does
	if c.Flavor == consensus.Microdesc.String() {
		flavor = consensus.Microdesc
	}
	x.event.Flavor = flavor
	from := q.DiffFrom
	if c.DiffFrom != nil {
		from = [][32]byte{*c.DiffFrom}
	}
	e, isNewest := x.s.cache.view(flavor, from)
	if isNewest {
		return notModified()
	}
	if e == nil {
		return notFound()
	}
	diff := e.diffFrom(from)
	if diff == nil && c.DiffFrom != nil {
		return short(dirhttp.StatusNotFound, "No such diff available", NotFound)
	}
	now := x.s.cfg.Env.Now()
	switch {
	case e.tooNew(now):
		x.s.warnings.notLive(x.s.cfg.Env.Log, e, now)
		return short(dirhttp.StatusNotFound, "Consensus is too new", NotFound)
	case e.tooOld(now):
		x.s.warnings.notLive(x.s.cfg.Env.Log, e, now)
		return short(dirhttp.StatusNotFound, "Consensus is too old", NotFound)
	case !e.signedBy(c.Signers):
		return short(dirhttp.StatusNotFound, "Consensus not signed by sufficient number of requested authorities", NotEnoughSigs)
	case e.validAfter.Before(q.IfModifiedSince):
		return notModified()
	}
	b := e.doc
	if diff != nil {
		b = diff
	}
	x.event.Diff = diff != nil
	r := reply{status: dirhttp.StatusOK, ready: true, vary: true, lifetime: max(0, e.freshUntil.Sub(now))}
	encoding, body := b.best(q.Accept)
	r.encoding, r.docs = encoding, [][]byte{body}
	return r
}

// diffFrom returns a diff from the first of the digests from which there is one, nil if there is none.
func (e *edition) diffFrom(digests [][32]byte) *blob {
	for _, d := range digests {
		if b := e.diffs[d]; b != nil {
			return b
		}
	}
	return nil
}

// signedBy reports whether more than half of the authorities signed, which are named by beginnings of their fingerprints
// (client_likes_consensus in C tor).
func (e *edition) signedBy(wanted []string) bool {
	if len(wanted) == 0 {
		return true
	}
	have := 0
	for _, w := range wanted {
		w = strings.ToUpper(w)
		for _, s := range e.signers {
			if strings.HasPrefix(s, w) {
				have++
				break
			}
		}
	}
	return have > len(wanted)/2
}

// warnInterval is the time between two warnings that a consensus is not served.
const warnInterval = time.Hour

// warnings keeps requests from filling the log.
type warnings struct {
	mu   sync.Mutex // a leaf; guards last
	last [2]time.Time
}

func (w *warnings) notLive(log *slog.Logger, e *edition, now time.Time) {
	if w.due(e.flavor, now) {
		log.Warn("Our consensus is too old or too new, so we will not serve it to clients", "flavor", e.flavor.String(),
			"valid-after", e.validAfter, "valid-until", e.validUntil)
	}
}

func (w *warnings) due(f consensus.Flavor, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if since := now.Sub(w.last[f]); since >= 0 && since < warnInterval {
		return false
	}
	w.last[f] = now
	return true
}
