package publish

import (
	"context"
	"net/netip"

	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

func (p *Publisher) postHTTP(ctx context.Context, to netip.AddrPort, body []byte, reason string) (Reply, error) {
	return dirclient.Post(ctx, p.cfg.Env.Net, to, dirhttp.PathUpload, body, reason)
}
