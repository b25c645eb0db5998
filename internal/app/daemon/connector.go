package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/app/client"
	"github.com/tropea-net/tropea/internal/app/config"
	"github.com/tropea-net/tropea/internal/client/attach"
	"github.com/tropea-net/tropea/internal/client/hsclient"
	"github.com/tropea-net/tropea/internal/core/stream"
	"github.com/tropea-net/tropea/internal/front/socks"
	"github.com/tropea-net/tropea/internal/wire/socksmsg"
)

// connector carries what SOCKS asks for to the client of the moment. It is a socks.Connector.
type connector struct {
	log     *slog.Logger
	started chan struct{} // closed when set was called; requests wait for that

	mu      sync.Mutex // guards the fields below
	client  *client.Client
	streams config.Streams
}

var (
	errNoClient  = errors.New("the network is disabled")
	errNoDNS     = errors.New("this port takes no names")
	errPlaintext = errors.New("port is known for plaintext passwords, and RejectPlaintextPorts has it")
)

func newConnector(log *slog.Logger) *connector {
	return &connector{log: log, started: make(chan struct{})}
}

func (c *connector) set(cl *client.Client, s config.Streams) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client, c.streams = cl, s
	select {
	case <-c.started:
	default:
		close(c.started)
	}
}

func (c *connector) get(ctx context.Context) (*client.Client, config.Streams, error) {
	select {
	case <-c.started:
	case <-ctx.Done():
		return nil, config.Streams{}, context.Cause(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == nil {
		return nil, c.streams, errNoClient
	}
	return c.client, c.streams, nil
}

// Dial implements socks.Connector.
func (c *connector) Dial(ctx context.Context, req socks.Request) (socks.Stream, error) {
	cl, rules, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	if slices.Contains(rules.RejectPorts, req.Port) {
		return nil, fmt.Errorf("%w: %d", errPlaintext, req.Port)
	}
	if slices.Contains(rules.WarnPorts, req.Port) {
		c.log.Warn("Application request to a port that is commonly used for unencrypted protocols. Please make sure you don't send anything you would mind the rest of the Internet reading!", "port", req.Port)
	}
	areq, err := request(req)
	if err != nil {
		return nil, err
	}
	cl.Nudge()
	s, err := cl.Streams().Dial(ctx, areq)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Resolve implements socks.Connector.
func (c *connector) Resolve(ctx context.Context, req socks.Request) ([]netip.Addr, uint32, error) {
	cl, _, err := c.get(ctx)
	if err != nil {
		return nil, 0, err
	}
	areq, err := request(req)
	if err != nil {
		return nil, 0, err
	}
	cl.Nudge()
	addrs, ttl, err := cl.Streams().Resolve(ctx, areq)
	return addrs, uint32(ttl / time.Second), err
}

// ResolvePTR implements socks.Connector.
func (c *connector) ResolvePTR(ctx context.Context, req socks.Request) ([]string, error) {
	cl, _, err := c.get(ctx)
	if err != nil {
		return nil, err
	}
	areq, err := request(req)
	if err != nil {
		return nil, err
	}
	cl.Nudge()
	return cl.Streams().ResolvePTR(ctx, areq)
}

// request turns a request of the door into one of the client.
func request(req socks.Request) (attach.Request, error) {
	if _, err := netip.ParseAddr(req.Host); err != nil && req.Traffic.NoDNS && !attach.IsOnion(req.Host) {
		return attach.Request{}, errNoDNS
	}
	return attach.Request{
		Host: req.Host, Port: req.Port, Isolation: req.Isolation, KeepAlive: req.KeepAlive, Early: req.Early,
		NoOnion: req.Traffic.NoOnion, NoIPv4: req.Traffic.NoIPv4, NoIPv6: req.Traffic.NoIPv6, PreferIPv6: !req.Traffic.NoPreferIPv6,
	}, nil
}

// replyCode says what a SOCKS client is told about an error.
func replyCode(err error) socksmsg.ReplyCode {
	var end *stream.EndError
	switch {
	case errors.Is(err, attach.ErrBadOnion):
		return socksmsg.OnionBadAddress
	case errors.Is(err, errPlaintext), errors.Is(err, errNoDNS), errors.Is(err, attach.ErrNoFamily), errors.Is(err, attach.ErrExitName), errors.Is(err, attach.ErrNoExit), errors.Is(err, attach.ErrNoOnions):
		return socksmsg.NotAllowed
	case errors.Is(err, attach.ErrOnion):
		return socksmsg.HostUnreachable
	case errors.As(err, &end):
		return socks.ReplyForEnd(end.Reason)
	}
	if service, ok := errors.AsType[*hsclient.Error](err); ok {
		return onionReplies[service.Reason]
	}
	return socks.DefaultReplyCode(err)
}

// onionReplies are for applications that want to know why an onion service is out of reach.
//
// https://spec.torproject.org/proposals/304-socks5-extending-hs-error-codes.html
var onionReplies = map[hsclient.Reason]socksmsg.ReplyCode{
	hsclient.NotFound: socksmsg.OnionNotFound, hsclient.Invalid: socksmsg.OnionInvalid,
	hsclient.IntroFailed: socksmsg.OnionIntroFailed, hsclient.IntroTimedOut: socksmsg.OnionIntroTimedOut,
	hsclient.RendFailed: socksmsg.OnionRendFailed, hsclient.MissingAuth: socksmsg.OnionMissingAuth, hsclient.BadAuth: socksmsg.OnionWrongAuth,
}
