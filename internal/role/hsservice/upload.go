package hsservice

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/client/dirclient"
	"github.com/tropea-net/tropea/internal/lib/safego"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
)

// An upload is a directory of a descriptor.
type upload struct {
	relay    *netdir.Relay
	wanted   bool // it is one now
	has      int  // version that it has taken last; 0 for none
	busy     bool
	failures int  // since it has taken one
	lost     bool // the last one was that we did not get there
	retry    time.Time
}

// A descriptor is made anew at a random time in this range, though nothing has changed.
const (
	minRepublish = time.Hour
	maxRepublish = 2 * time.Hour
)

// shortTime is how long a descriptor waits for the last introduction points, once some are there: each version costs circuits,
// and tells that something has happened.
const shortTime = 10 * time.Second

// urgentTime is how long if the last descriptor leads nowhere any more.
const urgentTime = 2 * time.Second

const (
	firstUploadRetry = 5 * time.Second
	maxUploadRetry   = 10 * time.Minute
	maxLostRetry     = time.Minute // if most directories are out of reach: then it is the network, which may be back at any time
)

// errSameSecond says that there was a version in this very second: revision counters of two would be equal.
var errSameSecond = errors.New("descriptor has been made in this second")

// keepUploads makes versions of the descriptors that are due, and brings them to their directories. It returns when to look
// again.
func (s *Service) keepUploads(v *netdir.View, now time.Time) time.Duration {
	next := time.Hour
	points, wait := s.ready(now)
	if points == nil {
		return wait
	}
	listed := s.listed()
	changed := !slices.Equal(points, listed)
	for _, d := range s.descs {
		d.dirty = d.dirty || changed
		if d.dirty || !now.Before(d.next) {
			err := s.seal(d, v, points, s.cfg.Env.Now())
			if errors.Is(err, errSameSecond) {
				next = min(next, time.Second)
				continue
			}
			if err != nil {
				s.lastRefuse = err
				s.log.Warn("cannot make a descriptor of an onion service", "service", s.name(), "err", err)
				next = min(next, time.Minute)
				continue
			}
			d.next = now.Add(minRepublish + time.Duration(s.cfg.Rand.Int64N(int64(maxRepublish-minRepublish))))
		}
		next = min(next, d.next.Sub(now))
	}
	for _, p := range s.points {
		p.listed = slices.Contains(points, p)
	}
	if s.set.Unpublished {
		return next
	}
	for _, d := range s.descs {
		s.keepDirs(d)
		for _, u := range d.dirs {
			switch {
			case d.version == 0 || !u.wanted || u.busy || u.has == d.version || s.uploading >= maxPublishing:
			case u.retry.After(now):
				next = min(next, u.retry.Sub(now))
			default:
				s.upload(d, u)
			}
		}
	}
	return next
}

// listed is the introduction points that the last descriptors have.
func (s *Service) listed() (list []*point) {
	for _, p := range s.points {
		if p.listed {
			list = append(list, p)
		}
	}
	return list
}

// ready returns the introduction points that descriptors are to have, or nil and how long to wait for that to change: while some
// are missing, and may be there soon. One that has lost its circuit stays, as long as it is likely to get another one.
func (s *Service) ready(now time.Time) (list []*point, wait time.Duration) {
	live := s.live(now)
	have, pending, useful := established(live), false, false
	if have == 0 {
		s.short = time.Time{}
		return nil, time.Hour
	}
	for _, p := range live {
		if p.circ != nil || p.listed && !p.falters() {
			list = append(list, p)
		}
		pending = pending || p.circ == nil
		useful = useful || p.circ != nil && p.listed
	}
	list = list[:min(len(list), MaxPoints)]
	if len(list) >= s.set.points() || !pending {
		s.short = time.Time{}
		return list, 0
	}
	if s.short.IsZero() {
		s.short = now
	}
	patience := shortTime
	if !useful {
		patience = urgentTime
	}
	if left := s.short.Add(patience).Sub(now); left > 0 {
		return nil, left
	}
	return list, 0
}

// keepDirs finds the directories of a descriptor. What those have that are not among them any more is remembered: they may come
// back, and take no version twice.
func (s *Service) keepDirs(d *descriptor) {
	for _, u := range d.dirs {
		u.wanted = false
	}
	for _, r := range s.dirs.Store(d.use, d.blinded.ID()) {
		u := d.dirs[r.RSA]
		if u == nil {
			u = new(upload)
			d.dirs[r.RSA] = u
		}
		u.relay, u.wanted = r, true
	}
}

// upload brings d's last version to a directory.
func (s *Service) upload(d *descriptor, u *upload) {
	u.busy = true
	s.uploading++
	ctx, dir, text, version := s.ctx, u.relay, d.text, d.version
	safego.Go(&s.wg, s.log, "descriptor upload", func() {
		err := errPanic
		safego.Run(s.log, "descriptor upload", func() {
			ctx, cancel := context.WithTimeout(ctx, publishTime)
			defer cancel()
			err = s.cfg.Net.Publish(ctx, dir, text)
		})
		s.do(func(now time.Time) { s.uploadDone(d, u, dir, version, err, now) })
	})
}

func (s *Service) uploadDone(d *descriptor, u *upload, dir *netdir.Relay, version int, err error, now time.Time) {
	u.busy = false
	s.uploading--
	if err != nil {
		_, refused := errors.AsType[*dirclient.StatusError](err)
		u.lost = !refused
		u.retry = now.Add(min(firstUploadRetry<<min(u.failures, 10), s.maxRetry()))
		u.failures++
		s.lastRefuse = err
		s.log.Debug("directory did not take a descriptor", "service", s.name(), "directory", safelog.Of(dir.Nickname), "err", err)
		s.publish(Event{Kind: UploadFailed, Dir: dir, Err: err})
		d.dirty = d.dirty || d.unwanted()
		return
	}
	u.has, u.failures, u.lost = version, 0, false
	s.log.Debug("directory has taken a descriptor", "service", s.name(), "directory", safelog.Of(dir.Nickname))
	s.publish(Event{Kind: Uploaded, Dir: dir})
}

// unwanted tells whether all directories have answered, and none has taken the last version. They may have a later one: of this
// second, if the service was started again at once, or of an hour that was wrong.
func (d *descriptor) unwanted() bool {
	for _, u := range d.dirs {
		if u.wanted && (u.busy || u.has == d.version || u.failures == 0) {
			return false
		}
	}
	return true
}

// maxRetry is how long a directory waits at most that has failed to take a descriptor.
func (s *Service) maxRetry() time.Duration {
	wanted, lost := 0, 0
	for _, d := range s.descs {
		for _, u := range d.dirs {
			if u.wanted {
				wanted++
			}
			if u.wanted && u.lost {
				lost++
			}
		}
	}
	if 2*lost > wanted {
		return maxLostRetry
	}
	return maxUploadRetry
}
