package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
)

// A Reply is what an authority says to an upload.
type Reply = dirclient.Reply

const (
	uploadTimeout = time.Minute
	firstRetry    = time.Minute
	lastRetry     = time.Hour
	maxSkew       = 30 * time.Minute // between clocks, before it is worth a warning
)

// An upload is what one authority has of the present descriptor. Its moments are for waits.
type upload struct {
	authority Authority
	of        *Documents // that it has answered; nil before
	running   bool
	next      time.Time
	wait      time.Duration
	failures  int // of the present descriptor
}

// renew begins anew, with another descriptor.
func (u *upload) renew() { u.next, u.wait, u.failures = time.Time{}, 0, 0 }

// due tells when to upload docs; ok is false if there is nothing to do.
func (u *upload) due(docs *Documents) (at time.Time, ok bool) {
	return u.next, !u.running && u.of != docs
}

// answered says that an authority has answered and that there is no use in asking again.
func (u *upload) answered(docs *Documents) { u.of, u.wait = docs, 0 }

// failed says that it is to be tried again, and when. Waits get longer, and no two are alike, lest relays that fail together
// come back together.
func (u *upload) failed(now time.Time, first time.Duration) time.Duration {
	u.failures++
	u.wait = min(max(2*u.wait, first), lastRetry)
	wait := u.wait/2 + rand.N(u.wait/2+1)
	u.next = now.Add(wait)
	return wait
}

// uploads begins what is due, and returns when the next is; the zero time is never.
func (p *Publisher) uploads(now time.Time) (next time.Time) {
	for _, u := range p.targets {
		switch at, ok := u.due(p.docs); {
		case !ok:
		case at.After(now):
			next = sooner(next, at)
		default:
			p.upload(u)
		}
	}
	return next
}

func (p *Publisher) upload(u *upload) {
	u.running = true
	docs, reply, sent := p.docs, Reply{}, p.cfg.Env.Now()
	p.start("descriptor upload", uploadTimeout, func(ctx context.Context) (err error) {
		reply, err = p.post(ctx, u.authority, docs)
		return err
	}, func(err error) {
		u.running = false
		if p.ctx.Err() != nil {
			return // that is why it failed
		}
		if err != nil {
			p.notUploaded(u, err)
			return
		}
		p.takeReply(u, &reply, sent)
		p.uploaded(u, docs, &reply)
	})
}

var (
	errPanic  = errors.New("a panic was contained")
	errNoAddr = errors.New("the authority has no address for uploads")
)

// post tries the addresses of an authority, one after the other.
func (p *Publisher) post(ctx context.Context, a Authority, docs *Documents) (r Reply, err error) {
	body := docs.Descriptor
	if docs.ExtraInfo != nil {
		body = append(bytes.Clone(body), docs.ExtraInfo.Text...)
	}
	if len(a.Dir) == 0 && a.Post != nil {
		return a.Post(ctx, body, docs.reason)
	}
	err = errNoAddr
	for _, addr := range a.Dir {
		if r, err = p.cfg.Post(ctx, addr, body, docs.reason); err == nil {
			return r, nil
		}
	}
	return r, err
}

// takeReply learns what an answer says besides: our address, and the time. Nobody vouches for it, since uploads are plain
// HTTP, but it came from where we have connected to.
func (p *Publisher) takeReply(u *upload, r *Reply, sent time.Time) {
	isTheirs := func(a netip.AddrPort) bool { return a.Addr() == r.YourAddress }
	if r.YourAddress.IsValid() && !slices.ContainsFunc(u.authority.Dir, isTheirs) {
		p.addHint(r.YourAddress, u.authority.Name)
	}
	skew, key := sent.Sub(r.Date).Round(time.Minute), "skew "+u.authority.Name
	if r.Date.IsZero() || skew.Abs() <= maxSkew {
		p.forget(key)
		return
	}
	ahead := "ahead of"
	if skew < 0 {
		ahead = "behind"
	}
	p.once(key, "Our clock is %v %s that of directory authority %s, or its clock is wrong. Tor needs an accurate clock: please check your time, timezone and date settings.",
		skew.Abs(), ahead, u.authority.Name)
}

// uploaded takes in what an authority says of a descriptor.
func (p *Publisher) uploaded(u *upload, docs *Documents, r *Reply) {
	reason := r.Reason
	switch {
	case r.Status == http.StatusOK:
		u.answered(docs)
		p.forget("no authority")
		p.log.Debug("descriptor uploaded", "authority", u.authority.Name, "not-new", r.NotNew)
		p.tell(Accepted{u.authority.Name})
		return
	case r.Status == http.StatusBadRequest: // the same again would not please it either
		u.answered(docs)
		p.log.Warn(fmt.Sprintf("http status 400 (%q) response from dirserver %s. Please correct.", reason, u.authority.Name))
		p.tell(Rejected{u.authority.Name, reason})
		return
	case r.Status != http.StatusServiceUnavailable && u.failures == 0:
		p.log.Warn(fmt.Sprintf("HTTP status %d (%q) was unexpected while uploading descriptor to server %s. Possibly the server is misconfigured?",
			r.Status, reason, u.authority.Name))
	}
	p.notUploaded(u, fmt.Errorf("HTTP status %d (%q)", r.Status, reason))
}

// manyFailures is how often an authority has to fail to be taken for one that cannot be reached.
const manyFailures = 3

func (p *Publisher) notUploaded(u *upload, err error) {
	wait := u.failed(time.Now(), p.pace(firstRetry))
	p.log.Debug("descriptor not uploaded", "authority", u.authority.Name, "err", err, "again-in", wait)
	if !slices.ContainsFunc(p.targets, func(o *upload) bool { return o.failures < manyFailures }) {
		p.once("no authority", "None of the %d directory authorities takes our descriptor, without which clients cannot find this relay. Can it connect to them? The last one said: %v",
			len(p.targets), err)
	}
}
