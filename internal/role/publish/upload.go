package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
)

// A Reply is what an authority says to an upload.
type Reply struct {
	Status      int
	Reason      string     // printable
	NotNew      bool       // it has one that is much like this one
	YourAddress netip.Addr // what it sees us as; invalid if it does not tell
}

const (
	uploadTimeout = time.Minute
	maxReason     = 200
	firstRetry    = time.Minute
	lastRetry     = time.Hour
)

// An upload is what one authority has of the present descriptor.
type upload struct {
	authority Authority
	of        *Documents // that it has answered; nil before
	running   bool
	next      time.Time
	wait      time.Duration
}

// uploads begins what is due, and returns how long to wait for the next.
func (p *Publisher) uploads(now time.Time) time.Duration {
	wait := time.Hour
	for _, u := range p.targets {
		switch {
		case u.running || u.of == p.docs:
		case now.Before(u.next):
			wait = min(wait, u.next.Sub(now))
		default:
			p.upload(u)
		}
	}
	return wait
}

func (p *Publisher) upload(u *upload) {
	u.running = true
	docs, ctx := p.docs, p.ctx
	safego.Go(&p.wg, p.log, "descriptor upload", func() {
		reply, err := Reply{}, errPanic
		safego.Run(p.log, "descriptor upload", func() { reply, err = p.post(ctx, u.authority, docs) })
		p.do(func(now time.Time) { p.uploaded(u, docs, reply, err, now) })
	})
}

var errPanic = errors.New("a panic was contained")

// post tries the addresses of an authority, one after the other.
func (p *Publisher) post(ctx context.Context, a Authority, docs *Documents) (r Reply, err error) {
	ctx, cancel := context.WithTimeout(ctx, uploadTimeout)
	defer cancel()
	body := docs.Descriptor
	if docs.ExtraInfo != nil {
		body = append(bytes.Clone(body), docs.ExtraInfo.Text...)
	}
	err = errors.New("the authority has no address for uploads")
	for _, addr := range a.Dir {
		if r, err = p.cfg.Post(ctx, addr, body, docs.reason); err == nil {
			return r, nil
		}
	}
	return r, err
}

// uploaded takes in what became of an upload.
func (p *Publisher) uploaded(u *upload, docs *Documents, r Reply, err error, now time.Time) {
	u.running = false
	if p.ctx.Err() != nil {
		return
	}
	if err == nil && r.YourAddress.IsValid() {
		p.hints = addHint(p.hints, hint{r.YourAddress, u.authority.Name})
	}
	switch {
	case err == nil && r.Status == http.StatusOK:
		u.of, u.wait = docs, 0
		p.log.Info("descriptor uploaded", "authority", u.authority.Name, "not-new", r.NotNew)
		return
	case err == nil && r.Status == http.StatusBadRequest:
		u.of, u.wait = docs, 0 // the same again would not please it either
		p.log.Warn(fmt.Sprintf("http status 400 (%q) response from dirserver %s. Please correct.", r.Reason, u.authority.Name))
		return
	case err == nil:
		err = fmt.Errorf("HTTP status %d (%q)", r.Status, r.Reason)
	}
	u.wait = min(max(2*u.wait, p.pace(firstRetry)), lastRetry)
	u.next = now.Add(u.wait)
	p.log.Info("descriptor not uploaded", "authority", u.authority.Name, "err", err, "again-in", u.wait)
}

// printable makes what an authority says fit for a log.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), maxReason)]
}

// postHTTP uploads over plain HTTP, as relays do: authorities know who publishes anyway.
func (p *Publisher) postHTTP(ctx context.Context, to netip.AddrPort, body []byte, reason string) (r Reply, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.String()+"/tor/", bytes.NewReader(body))
	if err != nil {
		return r, err
	}
	req.Header["User-Agent"] = nil
	req.Header.Set("Content-Type", "text/plain")
	req.Header.Set("X-Desc-Gen-Reason", reason)
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return p.cfg.Env.Net.Dial(ctx, "tcp", addr)
		},
		DisableKeepAlives:  true,
		DisableCompression: true, MaxResponseHeaderBytes: 16 << 10,
	}
	client := http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 16<<10))
	_, text, _ := strings.Cut(resp.Status, " ")
	r = Reply{Status: resp.StatusCode, Reason: printable(text), NotNew: resp.Header.Get("X-Descriptor-Not-New") != ""}
	if a, err := netip.ParseAddr(resp.Header.Get("X-Your-Address-Is")); err == nil {
		r.YourAddress = a.Unmap()
	}
	return r, nil
}
