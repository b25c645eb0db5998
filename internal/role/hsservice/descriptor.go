package hsservice

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/tropea-net/tropea/internal/core/congestion"
	"github.com/tropea-net/tropea/internal/crypt/hsenc"
	"github.com/tropea-net/tropea/internal/crypt/hskeys"
	"github.com/tropea-net/tropea/internal/crypt/hspow"
	"github.com/tropea-net/tropea/internal/netstate/hsdirs"
	"github.com/tropea-net/tropea/internal/netstate/netdir"
	"github.com/tropea-net/tropea/internal/wire/hsdesc"
	"github.com/tropea-net/tropea/internal/wire/keyfile"
	"github.com/tropea-net/tropea/internal/wire/linkspec"
	"github.com/tropea-net/tropea/internal/wire/params"
	"github.com/tropea-net/tropea/internal/wire/protover"
	"github.com/tropea-net/tropea/internal/wire/torcert"
)

// A descriptor is that of one time period, in all its versions.
type descriptor struct {
	use           hskeys.Use
	blinded       *keyfile.EdSecret
	subcredential [32]byte
	signing       *keyfile.EdSecret
	auth          *hsenc.Auth
	pow           *verifier // nil: no proof of work is asked for

	// Of the last version.
	text     []byte
	version  int // counts from 1
	revision uint64
	effort   uint32
	next     time.Time // when it is to be replaced, whatever happens
	dirty    bool      // it says what is not so any more

	dirs map[[20]byte]*upload
}

// keepDescriptors sees to it that there are descriptors for the periods of the consensus: two, since clients may have another one.
//
// https://spec.torproject.org/rend-spec/deriving-keys.html#service-upload
func (s *Service) keepDescriptors(v *netdir.View) error {
	if s.dirs == nil || s.dirsOf != v {
		dirs, err := hsdirs.New(v, s.cfg.TestNetwork)
		if err != nil {
			return err
		}
		s.dirs, s.dirsOf = dirs, v
	}
	first, second := s.dirs.Clock().Store()
	var list []*descriptor
	for _, use := range []hskeys.Use{first, second} {
		i := slices.IndexFunc(s.descs, func(d *descriptor) bool { return d.use.Period == use.Period })
		if i >= 0 && !s.stale {
			s.descs[i].use = use // its shared random value is the previous one after a while
			list = append(list, s.descs[i])
			continue
		}
		d, err := s.newDescriptor(use)
		if err != nil {
			return err
		}
		if i >= 0 {
			d.revision = s.descs[i].revision // directories take none that is not higher
		}
		list = append(list, d)
	}
	s.stale = false
	if slices.Equal(list, s.descs) {
		return nil
	}
	for _, d := range s.descs {
		if !slices.Contains(list, d) {
			d.wipe()
		}
	}
	s.descs = list
	return s.shareKeys()
}

func (d *descriptor) wipe() {
	d.blinded.Wipe()
	d.signing.Wipe()
}

// shareKeys gives the workers what they need.
func (s *Service) shareKeys() error {
	k := &keys{}
	for _, d := range s.descs {
		k.subcredentials = append(k.subcredentials, d.subcredential)
		if d.pow != nil {
			k.pow = append(k.pow, d.pow)
		}
		for _, frontend := range s.set.Frontends {
			blinded, err := hskeys.BlindPublic(frontend, d.use.Period)
			if err != nil {
				return fmt.Errorf("address of a front end: %w", err)
			}
			k.subcredentials = append(k.subcredentials, hskeys.Subcredential(frontend, blinded))
		}
	}
	s.keys.Store(k)
	return nil
}

// newDescriptor makes the keys of a descriptor.
func (s *Service) newDescriptor(use hskeys.Use) (*descriptor, error) {
	blinded, err := hskeys.BlindSecret(s.cfg.Key, use.Period)
	if err != nil {
		return nil, err
	}
	d := &descriptor{
		use: use, blinded: blinded, subcredential: hskeys.Subcredential(s.cfg.Key.ID(), blinded.ID()),
		signing: keyfile.GenerateEd(), dirs: map[[20]byte]*upload{}, dirty: true,
	}
	if d.auth, err = hsenc.NewAuth(rand.Reader, d.subcredential, s.set.Clients); err != nil {
		return nil, err
	}
	if s.set.PoW != nil {
		v, err := hspow.NewVerifier(rand.Reader, blinded.ID())
		if err != nil {
			return nil, err
		}
		d.pow = &verifier{v: v}
	}
	return d, nil
}

// seal makes another version of d. wall is the time that clients and directories are told.
func (s *Service) seal(d *descriptor, v *netdir.View, points []*point, wall time.Time) error {
	revision, err := hskeys.RevisionCounter(d.blinded, d.use.Since, wall)
	if err != nil {
		return err
	}
	if revision <= d.revision {
		return errSameSecond
	}
	cert, err := hsenc.NewCert(torcert.TypeHSSigning, d.signing.ID(), d.blinded, wall)
	if err != nil {
		return err
	}
	list := v.Consensus().Params
	in := &hsdesc.Inner{SingleOnion: s.cfg.Direct}
	if cc := s.congestion(list); cc.Enabled {
		in.FlowControl = &hsdesc.FlowControl{Versions: flowVersions, SendmeInc: uint8(cc.Inc)}
	}
	if d.pow != nil {
		in.PoW = &hsdesc.PoWParams{Seed: d.pow.seed(), Effort: s.queue.effort.suggested, Expires: wall.Add(time.Until(s.seeds))}
	}
	for _, p := range points {
		ip, err := p.describe(d.signing, wall)
		if err != nil {
			return err
		}
		in.Points = append(in.Points, ip)
	}
	text, err := d.auth.Seal(rand.Reader, hsenc.Version{Cert: cert, Signing: d.signing, Revision: revision}, in, int(list.Of(params.HSMaxDescriptorSize)))
	if err != nil {
		return err
	}
	d.text, d.revision, d.effort, d.dirty = text, revision, s.queue.effort.suggested, false
	d.version++
	return nil
}

// flowVersions are the versions of FlowCtrl that a descriptor offers.
var flowVersions = protover.MustParse("FlowCtrl=1-2")

// congestion is the congestion control of circuits with clients.
func (s *Service) congestion(list params.List) *congestion.Params {
	if s.cfg.Direct {
		return congestion.ReadParams(list, congestion.ExitPath)
	}
	return congestion.ReadParams(list, congestion.OnionPath)
}

// describe is an introduction point as the descriptor has it.
func (p *point) describe(signing *keyfile.EdSecret, wall time.Time) (ip hsdesc.IntroPoint, err error) {
	r := p.relay
	ip = hsdesc.IntroPoint{
		Specs:    linkspec.Set{RSA: r.RSA, HasRSA: true, Ed: r.Ed, HasEd: r.HasEd, Addrs: r.Addrs()}.Specs(),
		OnionKey: r.NTor, EncKey: p.keys.Enc.Public(),
	}
	if ip.AuthCert, err = hsenc.NewCert(torcert.TypeHSIntroAuth, p.keys.AuthKey, signing, wall); err != nil {
		return ip, err
	}
	ip.EncCert, err = hsenc.NewEncCert(ip.EncKey, signing, wall)
	return ip, err
}

func (v *verifier) seed() [32]byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.v.Seed()
}

func (v *verifier) rotate() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.v.Rotate(rand.Reader)
}

// The seeds of the proof of work change at a random time in this range.
const (
	minSeedLife = 2*time.Hour - 15*time.Minute
	maxSeedLife = 2 * time.Hour
)

// keepEffort changes the seeds of the proof of work and the suggested effort when it is time for that.
func (s *Service) keepEffort(now time.Time) time.Duration {
	if s.set.PoW == nil {
		return time.Hour
	}
	if s.seeds.IsZero() {
		s.review = now.Add(effortPeriod)
	}
	if !now.Before(s.seeds) {
		if !s.seeds.IsZero() {
			for _, d := range s.descs {
				if err := d.pow.rotate(); err != nil {
					s.log.Warn("cannot make a seed for the proof of work", "err", err)
				}
				d.dirty = true
			}
		}
		s.seeds = now.Add(minSeedLife + time.Duration(s.cfg.Rand.Int64N(int64(maxSeedLife-minSeedLife))))
	}
	if !now.Before(s.review) {
		s.queue.review()
		s.review = now.Add(effortPeriod)
	}
	for _, d := range s.descs {
		d.dirty = d.dirty || differs(d.effort, s.queue.effort.suggested)
	}
	return min(s.seeds.Sub(now), s.review.Sub(now))
}
