package hsclient

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/client/circmgr"
	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/crypt/hsenc"
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/netstate/hsdirs"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/onionaddr"
	"github.com/tropea-net/tropea/internal/wire/params"
)

const (
	requery        = 15 * time.Minute // a directory that was asked in vain is not asked again for so long
	requeryTesting = 5 * time.Second
)

// fetch is a search for a descriptor that is under way.
type fetch struct {
	done chan struct{} // closed when desc or err is set
	desc *descriptor
	err  error
}

// askedKey is a directory that was asked for the descriptor of a blinded key.
type askedKey struct {
	blinded [32]byte
	dir     [20]byte
}

// network is what a view says about services.
type network struct {
	view *netdir.View
	dirs *hsdirs.Dirs
	use  hskeys.Use
	limits
	onion, exit *congestion.Params // for circuits to services, and to those that do not hide
}

// networkLocked returns the network as it is now, nil while there is none.
func (c *Client) networkLocked() (*network, error) {
	v := c.cfg.Dir.View()
	if v == nil {
		return nil, nil
	}
	if c.net != nil && c.net.view == v {
		return c.net, nil
	}
	dirs, err := hsdirs.New(v, c.cfg.Testing)
	if err != nil {
		return nil, err
	}
	p := v.Consensus().Params
	n := &network{
		view: v, dirs: dirs, use: dirs.Clock().Fetch(),
		onion: congestion.ReadParams(p, congestion.OnionPath), exit: congestion.ReadParams(p, congestion.ExitPath),
	}
	n.limits = limits{int(p.Of(params.HSMaxDescriptorSize)), n.exit}
	c.net = n
	return n, nil
}

// network waits for a network.
func (c *Client) network(ctx context.Context) (*network, error) {
	for {
		changed := c.cfg.Dir.Changed()
		c.mu.Lock()
		n, err := c.networkLocked()
		c.mu.Unlock()
		if n != nil || err != nil {
			return n, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, &circmgr.BuildError{Err: circmgr.ErrNoDirectory, Cause: context.Cause(ctx)}
		}
	}
}

// descriptor returns the descriptor of a service: one that we have and that good accepts, or else a new one.
func (c *Client) descriptor(ctx context.Context, a onionaddr.Address, good func(*descriptor) bool) (*descriptor, error) {
	n, err := c.network(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	if d := c.cache.get(a, n.use.Period); d != nil && good(d) {
		c.mu.Unlock()
		return d, nil
	}
	f := c.fetches[a]
	if f == nil {
		f = &fetch{done: make(chan struct{}), err: errPanic}
		c.fetches[a] = f
		run := c.ctx
		safego.Go(&c.wg, c.log, "onion service descriptor", func() {
			defer func() {
				c.mu.Lock()
				if c.fetches[a] == f {
					delete(c.fetches, a)
				}
				c.mu.Unlock()
				close(f.done)
			}()
			f.desc, f.err = c.fetch(run, a, n)
		})
	}
	c.mu.Unlock()
	select {
	case <-f.done:
		return f.desc, f.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// fetch asks one responsible directory after the other, in random order, until one has the descriptor.
func (c *Client) fetch(ctx context.Context, a onionaddr.Address, n *network) (*descriptor, error) {
	k, err := newKeys(a, n.use.Period)
	if err != nil {
		return nil, err
	}
	failure := &Error{NotFound, errNoDirs}
	for {
		dir := c.pickDir(n, k)
		if dir == nil {
			c.forgetAsked(k.blinded) // the next one may try again
			return nil, failure
		}
		text, err := c.ask(ctx, dir, k, n.limits)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			c.log.Debug("no onion service descriptor", "service", safelog.Of(a), "from", safelog.Of(dir.Nickname), "err", err)
			if _, ok := errors.AsType[*dirclient.StatusError](err); ok || failure.Err == errNoDirs {
				failure = &Error{NotFound, err}
			}
			continue
		}
		d, err := open(text, k, c.authKey(a), n.limits, c.cfg.Env.Now())
		switch {
		case errors.Is(err, hsenc.ErrNeedClient):
			return nil, &Error{MissingAuth, err}
		case errors.Is(err, hsenc.ErrBadClient):
			return nil, &Error{BadAuth, err}
		case err != nil:
			c.log.Debug("bad onion service descriptor", "service", safelog.Of(a), "from", safelog.Of(dir.Nickname), "err", err)
			failure = &Error{Invalid, err}
			continue
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.cache.put(a, d)
		return c.cache.get(a, n.use.Period), nil
	}
}

// pickDir chooses a directory that was not asked lately, nil if there is none.
func (c *Client) pickDir(n *network, k keys) *netdir.Relay {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, wait := time.Now(), requery
	if c.cfg.Testing {
		wait = requeryTesting
	}
	for key, at := range c.asked {
		if now.Sub(at) >= wait {
			delete(c.asked, key)
		}
	}
	var permitted, rest []*netdir.Relay
	for _, r := range n.dirs.Fetch(n.use, k.blinded) {
		if _, asked := c.asked[askedKey{k.blinded, r.RSA}]; asked || !r.Usable() {
			continue
		}
		switch {
		case c.cfg.Select.Permits(r, false):
			permitted = append(permitted, r)
		case c.cfg.Select.Permits(r, true):
			rest = append(rest, r)
		}
	}
	if len(permitted) == 0 {
		permitted = rest
	}
	if len(permitted) == 0 {
		return nil
	}
	r := permitted[c.rand.IntN(len(permitted))]
	c.asked[askedKey{k.blinded, r.RSA}] = now
	return r
}

// forgetAsked lets all directories be asked again for a blinded key.
func (c *Client) forgetAsked(blinded [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.asked {
		if key.blinded == blinded {
			delete(c.asked, key)
		}
	}
}

// ask asks one directory, over a circuit of its own.
//
// https://spec.torproject.org/rend-spec/hsdesc.html
func (c *Client) ask(ctx context.Context, dir *netdir.Relay, k keys, l limits) ([]byte, error) {
	requests := dirclient.Client{Tunnels: (*tunnels)(c), Now: c.cfg.Env.Now}
	resp, err := requests.Get(ctx, circmgr.DirServerOf(dir), dirclient.Request{
		Path:      "/tor/hs/3/" + base64.RawStdEncoding.EncodeToString(k.blinded[:]),
		MaxBody:   l.size,
		Anonymous: true,
	})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// tunnels leads to directories without telling them who asks.
type tunnels Client

// Dir implements dirclient.Tunnels.
func (t *tunnels) Dir(ctx context.Context, s circmgr.DirServer) (*circuit.Tunnel, func(), error) {
	in, err := t.cfg.Circuits.Inside(ctx, circmgr.InsideNeed{End: s.Hop})
	if err != nil {
		return nil, nil, err
	}
	return in.Circ.Tunnel(), in.Circ.Close, nil
}
