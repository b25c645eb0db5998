package admit

import (
	"net/netip"
	"time"

	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/keypin"
)

// A Result is the answer to an upload and what follows from it.
type Result struct {
	Status int
	Reason string // empty with NotNew
	NotNew bool   // the header X-Descriptor-Not-New

	Routers  []*Router             // that are new, or have changed
	Extras   []*extrainfo.Document // that belong to their relays' descriptors; they alias the body
	Pins     []keypin.Pin          // for the journal
	Refusals []Refusal             // for the log
}

// A Refusal tells of a document that was not taken.
type Refusal struct {
	Outcome Outcome
	Message string // what the relay was told; empty for a malformed document, about which C tor says nothing
	Err     error  // what is malformed; nil if nothing is
}

// Upload takes the body of an upload, and says what to answer.
//
// C tor: dirserv_add_multiple_descriptors, directory_handle_command_post.
func (r *Registry) Upload(from netip.Addr, body []byte, now time.Time) Result {
	switch {
	case len(body) > MaxBody:
		return refusal(verdict{Rejected, msgTooLong})
	case !isText(body):
		return refusal(verdict{Rejected, msgNotUTF8})
	}
	docs, err := split(body)
	if err != nil {
		return refusal(verdict{Rejected, msgTooMany})
	}
	if !r.screen(from, docs, now) {
		return refusal(verdict{Busy, msgBusy})
	}
	u := upload{r: r, now: now, worst: verdict{Added, msgNone}}
	for _, routers := range []bool{true, false} { // descriptors come first wherever they are: the others refer to them
		for i := range docs {
			if d := &docs[i]; d.isRouter() == routers {
				u.take(d)
			}
		}
	}
	u.answer()
	return u.Result
}

// screen finds the documents that we have already, and tells whether the others may be checked.
func (r *Registry) screen(from netip.Addr, docs []document, now time.Time) bool {
	n := 0
	for i := range docs {
		docs[i].hash = hashOf(docs[i].text)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range docs {
		d := &docs[i]
		if same := r.hashes[d.hash]; same != nil && d.err == nil {
			d.router, d.goodKey = same.Descriptor, true
		} else if d.err == nil && !d.tooLong() {
			n++
		}
	}
	return n == 0 || r.limiter.take(from, n, r.addrs[from.Unmap()] > 0, now)
}

// An upload is one that is being taken.
type upload struct {
	Result
	r     *Registry
	now   time.Time
	worst verdict
}

// take takes one document.
func (u *upload) take(d *document) {
	switch {
	case d.err == nil && d.tooLong() && d.isRouter():
		u.note(reject(msgTooLarge), nil)
		return
	case d.err == nil && d.tooLong():
		u.note(verdict{BadExtraInfo, msgExtraTooLarge}, nil)
		return
	case d.router == nil:
		d.parse()
	}
	switch {
	case d.err != nil && d.isUnspecified():
		u.note(reject(msgPrivate), d.err)
	case d.err != nil:
		u.Refusals = append(u.Refusals, Refusal{Rejected, "", d.err})
	case d.router != nil:
		u.router(d)
	default:
		u.extra(d.extra)
	}
}

func (u *upload) router(doc *document) {
	r, d := u.r, doc.router
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.cfg.judgeUpload(descriptorOf(r.routers[d.RSA]), d, r.pins, doc.goodKey)
	if v.Outcome == Added {
		var is *Router
		if v, is = r.add(d, doc.hash, false, u.now); is != nil {
			u.Routers = append(u.Routers, is)
			if r.pins.Add(pinOf(d), !r.cfg.PinKeys) == keypin.Added {
				u.Pins = append(u.Pins, pinOf(d))
			}
		}
	}
	u.note(v, nil)
}

func (u *upload) extra(e *extrainfo.Document) {
	v := verdict{BadExtraInfo, msgNoDescriptor}
	if router := u.r.Router(e.RSA); router != nil {
		if err := e.CheckSignature(router.Descriptor.Identity); err != nil {
			u.Refusals = append(u.Refusals, Refusal{Rejected, "", err})
			return
		}
		v = judgeExtra(e, router.Descriptor)
	}
	if v.Outcome == Added {
		u.Extras = append(u.Extras, e)
	}
	u.note(v, nil)
}

// note keeps the worst verdict, of equals the first.
func (u *upload) note(v verdict, err error) {
	if v.Outcome > u.worst.Outcome {
		u.worst = v
	}
	if v.Outcome != Added {
		u.Refusals = append(u.Refusals, Refusal{v.Outcome, v.message, err})
	}
}

func (u *upload) answer() {
	a := refusal(u.worst)
	u.Status, u.Reason, u.NotNew = a.Status, a.Reason, a.NotNew
}

// refusal is the answer to an upload of which nothing else is to tell.
func refusal(v verdict) Result {
	switch v.Outcome {
	case Added:
		return Result{Status: dirhttp.StatusOK, Reason: v.message}
	case Known, Expired: // WRA_WAS_OUTDATED
		return Result{Status: dirhttp.StatusOK, NotNew: true}
	case Busy:
		return Result{Status: dirhttp.StatusBusy, Reason: v.message}
	}
	return Result{Status: dirhttp.StatusBadRequest, Reason: v.message}
}
