package dirsync

import (
	"context"
	"errors"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// fetch is one kind of download.
type fetch struct {
	purpose purpose
	running int
	retry   retry
	ctx     context.Context // of those that run, if they can be ended together
	cancel  context.CancelCauseFunc
}

// purpose is what for a server is asked.
type purpose uint8

const (
	forConsensus purpose = iota
	forCerts
	forMicrodescs
	forRouters // router descriptors and extra-info documents
	purposes
)

// fetchTimeout bounds one download, from the connection to the last byte.
const fetchTimeout = 5 * time.Minute

// start runs a download in the background, and then got in the owner goroutine. If read is not nil, it is called with the
// answer before that, in the background as well.
func (s *Sync) start(f *fetch, src source, req dirclient.Request, read func(*dirclient.Response), got func(now time.Time, resp *dirclient.Response, err error)) {
	f.running++
	src.begin(f.purpose)
	ctx := s.ctx
	if f.ctx != nil {
		ctx = f.ctx
	}
	req.DirPort = src.dirPort
	safego.Go(&s.wg, s.log, "directory download", func() {
		ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
		defer cancel()
		var resp *dirclient.Response
		err := errPanic
		if safego.Run(s.log, "directory download", func() {
			if resp, err = s.cfg.Get.Get(ctx, src.DirServer, req); err == nil && read != nil {
				read(resp)
			}
		}) {
			resp, err = nil, errPanic
		}
		s.do(func(now time.Time) {
			f.running--
			src.end(f.purpose, err, now)
			if s.ctx.Err() == nil {
				got(now, resp, err)
			}
		})
	})
}

// notFound tells whether err says that a server has nothing of what was asked for.
func notFound(err error) bool {
	var status *dirclient.StatusError
	return errors.As(err, &status) && status.Status == dirhttp.StatusNotFound
}
