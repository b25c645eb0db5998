package dirauth

import (
	"context"
	"crypto/rsa"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/env"
	"github.com/tropea-net/tropea/internal/lib/safelog"
	"github.com/tropea-net/tropea/internal/role/dirauth/tally"
	"github.com/tropea-net/tropea/internal/wire/authcert"
	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/vote"
)

// Keys are those that an authority votes with at the moment.
type Keys struct {
	Cert    *authcert.Cert
	Signing *rsa.PrivateKey

	LegacyCert    *authcert.Cert // nil if there is none
	LegacySigning *rsa.PrivateKey
}

// Config is what an authority needs.
type Config struct {
	Env      env.Env
	Identity [20]byte // the v3 identity, which all of Keys' certificates have
	Voters   []Voter  // all authorities that vote, ourselves among them
	Keys     func() *Keys

	Initial     Timing        // until there is a consensus, whose own holds then
	MinInterval time.Duration // see vote.Parse

	// Opinion makes what we vote. The times, Cert and Published are set already. It is called once for each consensus.
	Opinion func(ctx context.Context, v *vote.Vote) error
	// Random is our part in the shared random protocol; nil if we take none.
	Random Random

	// Bandwidths reads the bandwidth file, which others may ask for; nil if there is none.
	Bandwidths func() ([]byte, error)

	// Live returns the ns consensus that is in force; nil if there is none.
	Live func() *consensus.Consensus
	// Publish takes over a new consensus, if its signatures are good enough, and returns when it is out. The certificates are
	// those that we know.
	Publish func(f consensus.Flavor, text []byte, certs [][]byte) error

	// Missing lists the digests of router descriptors that a vote refers to and that we want from the voter; Take takes them.
	// Both may be nil.
	Missing func(v *vote.Vote) [][20]byte
	Take    func(text []byte)
}

// Random is the shared random protocol; see package srv.
type Random interface {
	Begin(validAfter time.Time)                       // before all else, when it is known when the next consensus begins
	Vote(validAfter time.Time) *vote.SharedRandom     // our commits and values for a vote
	Received(v *vote.Vote)                            // takes the commits of a vote
	Published(c *consensus.Consensus, next time.Time) // takes the values of a consensus; next is when the one after it begins
	// Agreed finds the values on which votes agree; see tally.Config.
	Agreed(votes []*vote.SharedRandom, authorities, agreements int) (previous, current *consensus.SRV)
}

// An Authority votes. Run must be running. Its methods are safe for concurrent use.
type Authority struct {
	cfg   Config
	log   *slog.Logger
	round *round
	certs *certs
	votes chan *vote.Vote // whose descriptors are to be fetched
	wg    sync.WaitGroup  // of what goes on beside the schedule
}

// New returns an authority.
func New(cfg Config) *Authority {
	a := &Authority{cfg: cfg, log: cfg.Env.Log, certs: newCerts(cfg.Voters, cfg.Env.Now), votes: make(chan *vote.Vote, 2*len(cfg.Voters))}
	a.round = &round{
		log: a.log, voters: cfg.Voters, minLen: cfg.MinInterval,
		addCert: a.certs.add, key: a.certs.key,
		taken: a.taken,
	}
	a.round.reschedule(a.schedule(cfg.Env.Now()))
	return a
}

// timing is that of the consensus in force, or the initial one.
func (a *Authority) timing() Timing {
	c := a.cfg.Live()
	if c == nil {
		return a.cfg.Initial
	}
	return Timing{Interval: c.FreshUntil.Sub(c.ValidAfter), VoteDelay: c.VoteDelay, DistDelay: c.DistDelay, Offset: a.cfg.Initial.Offset}
}

func (a *Authority) schedule(now time.Time) Schedule { return NextSchedule(now, a.timing()) }

// NextValidAfter is when the consensus comes into force that is voted on next.
func (a *Authority) NextValidAfter() time.Time { return a.round.times().ValidAfter }

// Run votes, until ctx ends. The node's directory must have been read from disk.
func (a *Authority) Run(ctx context.Context) error {
	defer a.wg.Wait()
	a.wg.Go(func() { a.fetchDescriptors(ctx) })
	if a.cfg.Random != nil {
		a.cfg.Random.Begin(a.schedule(a.cfg.Env.Now()).ValidAfter)
	}
	for {
		if err := a.runRound(ctx, a.timing()); err != nil && !errors.Is(err, errClockSet) {
			return err
		}
	}
}

// runRound makes the next consensus.
func (a *Authority) runRound(ctx context.Context, t Timing) error {
	s := NextSchedule(a.cfg.Env.Now(), t)
	a.round.reschedule(s)
	for _, step := range []struct {
		at time.Time
		do func(context.Context)
	}{
		{s.Vote, a.vote}, {s.FetchVotes, a.fetchVotes}, {s.Compute, a.compute}, {s.FetchSignatures, a.fetchSignatures}, {s.ValidAfter, a.publish},
	} {
		early := func(now time.Time) bool { return NextSchedule(now, t).ValidAfter.Before(s.ValidAfter) }
		if err := a.sleepUntil(ctx, step.at, early); err != nil {
			return err
		}
		step.do(ctx)
	}
	return nil
}

var errClockSet = errors.New("the clock was set back")

// sleepUntil waits for a time of the wall clock, which may be set meanwhile: errClockSet says that it is early now.
func (a *Authority) sleepUntil(ctx context.Context, at time.Time, early func(now time.Time) bool) error {
	for {
		now := a.cfg.Env.Now()
		wait := at.Sub(now)
		if wait <= 0 {
			return nil
		}
		if early(now) {
			safelog.Notice(a.log, "The clock was set back: the vote is on an earlier consensus now")
			return errClockSet
		}
		t := time.NewTimer(min(wait, time.Minute))
		select {
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}

var errCertExpired = errors.New("the certificate of the signing key has expired: make another with gencert")

// vote makes our vote and sends it to the others. That goes on beside the schedule: what does not arrive in time is fetched.
func (a *Authority) vote(ctx context.Context) {
	text, err := a.ownVote(ctx)
	if err != nil {
		a.log.Warn("We cannot vote", "err", err)
		return
	}
	if r := a.round.addVotes(text, fromFetch, "ourselves", a.cfg.Env.Now()); r.status != 200 {
		a.log.Error("Our own vote is no good", "reason", r.text)
		return
	}
	a.beside(ctx, func(ctx context.Context) { a.post(ctx, "vote", dirhttp.PathUploadVote, text) })
}

func (a *Authority) ownVote(ctx context.Context) ([]byte, error) {
	now, keys := a.cfg.Env.Now(), a.cfg.Keys()
	if keys.Cert.Expires.Before(now) {
		return nil, errCertExpired
	}
	v := &vote.Vote{Published: now, ValidAfter: a.round.times().ValidAfter, Cert: keys.Cert}
	for m := tally.MinMethod; m <= tally.MaxMethod; m++ {
		v.Methods = append(v.Methods, m)
	}
	if keys.LegacyCert != nil {
		v.LegacyKey = keys.LegacyCert.Fingerprint
	}
	if a.cfg.Random != nil {
		v.SharedRandom = a.cfg.Random.Vote(v.ValidAfter)
	}
	if err := a.cfg.Opinion(ctx, v); err != nil {
		return nil, err
	}
	v.Source.Identity = keys.Cert.Fingerprint
	return v.Sign(keys.Signing)
}

// votesFile has the votes that the last consensus was computed of, for operators to look at.
const votesFile = "v3-status-votes"

// compute makes the consensus and sends our signatures to the others.
func (a *Authority) compute(ctx context.Context) {
	keys := a.cfg.Keys()
	signers := []signer{{keys.Cert.Fingerprint, keys.Signing}}
	if keys.LegacyCert != nil {
		signers = append(signers, signer{keys.LegacyCert.Fingerprint, keys.LegacySigning})
	}
	cfg := tally.Config{Authorities: len(a.cfg.Voters), MinInterval: a.cfg.MinInterval}
	if a.cfg.Random != nil {
		cfg.AgreedSRV = a.cfg.Random.Agreed
	}
	if err := a.cfg.Env.State.WriteWhole(votesFile, a.round.allVotes()); err != nil {
		a.log.Warn("The votes cannot be stored", "file", votesFile, "err", err)
	}
	res, own, err := a.round.compute(cfg, signers)
	if err != nil {
		a.log.Warn("There is no consensus", "err", err)
		return
	}
	for _, w := range res.Warnings {
		a.log.Warn("Oddity in the votes", "what", w)
	}
	if res.Wanted != res.Method {
		a.log.Warn("The votes choose a consensus method that we do not know: please upgrade", "chosen", res.Wanted, "used", res.Method)
	}
	safelog.Notice(a.log, "Consensus computed", "method", res.Method, "relays", len(res.NS.Relays))
	for name, body := range map[string][]byte{"my-consensus-ns": res.NSBody, "my-consensus-microdesc": res.MicrodescBody} {
		if err := a.cfg.Env.State.WriteWhole(name, body); err != nil {
			a.log.Warn("The computed consensus cannot be stored", "err", err)
		}
	}
	a.beside(ctx, func(ctx context.Context) { a.post(ctx, "signatures", dirhttp.PathUploadSignature, own) })
}

// publish puts the consensus in force, and begins the next round.
func (a *Authority) publish(context.Context) {
	for _, f := range []consensus.Flavor{consensus.NS, consensus.Microdesc} {
		text := a.round.consensus(f)
		if text == nil {
			continue
		}
		if err := a.cfg.Publish(f, text, a.certs.texts()); err != nil {
			a.log.Warn("The consensus cannot be published", "flavor", f, "err", err)
			continue
		}
		safelog.Notice(a.log, "Consensus published", "flavor", f)
	}
	live := a.cfg.Live()
	s := a.schedule(a.cfg.Env.Now())
	a.round.next(s)
	if a.cfg.Random != nil && live != nil {
		a.cfg.Random.Published(live, s.ValidAfter)
	}
}

// taken is told of each vote that is new.
func (a *Authority) taken(v *vote.Vote) {
	if a.cfg.Random != nil {
		a.cfg.Random.Received(v)
	}
	if a.cfg.Missing == nil || v.Cert.Fingerprint == a.cfg.Identity {
		return
	}
	select {
	case a.votes <- v:
	default: // more than there are authorities: they repeat themselves
	}
}

// fetchDescriptors fetches what votes refer to, until ctx ends.
func (a *Authority) fetchDescriptors(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case v := <-a.votes:
			a.fetchMissing(ctx, v)
		}
	}
}

// beside runs f without keeping the schedule waiting.
func (a *Authority) beside(ctx context.Context, f func(context.Context)) {
	a.wg.Go(func() { f(ctx) })
}
