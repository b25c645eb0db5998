package voteoracle

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/kit/ctor"
	"github.com/tropea-net/tropea/internal/wire/rsakey"
)

// Errors of a recorder.
var (
	// ErrRefused is the error of a request that C tor refuses, such as one with a vote that it cannot read.
	ErrRefused = errors.New("refused by C tor")
	// ErrMissed is the error of a consensus that C tor did not make, or made of other votes.
	ErrMissed = errors.New("no consensus of the votes by C tor")
)

const (
	// interval is the time between two consensuses. It stays that of a network without a consensus, since no consensus
	// ever gets the signatures of more than half of the authorities.
	interval = 5 * time.Second

	// rounds is how many consensuses C tor sees in a run of the shared random protocol.
	rounds = 24

	tries = 4

	httpTimeout = 10 * time.Second
	maxAnswer   = 1 << 20 // bytes
)

// A Recorder is a C tor that is one of several authorities and has no other but us to get votes from.
type Recorder struct {
	authorities, self int
	dir               string
	proc              *ctor.Process
	url               string // of its directory port
	logged            int    // how much of its log belongs to earlier consensuses
}

// NewRecorder starts the tor at path bin with its files in dir. One that is to have a fresh shared random value has it
// after four minutes at most.
func NewRecorder(ctx context.Context, bin, dir string, authorities, self int, fresh bool) (*Recorder, error) {
	r := &Recorder{authorities: authorities, self: self, dir: dir}
	if err := r.writeKeys(); err != nil {
		return nil, err
	}
	proc, err := ctor.Start(ctor.Config{Name: "authority", Bin: bin, Dir: dir, Torrc: r.torrc(protocolRun(fresh))})
	if err != nil {
		return nil, err
	}
	r.proc = proc
	line, err := proc.Wait(ctx, regexp.MustCompile(`Opened Directory listener connection \(ready\) on 127\.0\.0\.1:\d+`))
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.url = "http://" + line[strings.LastIndex(line, " ")+1:]
	return r, nil
}

// Close stops C tor.
func (r *Recorder) Close() error { return r.proc.Stop() }

// protocolRun is how long C tor works on a shared random value: as short as it can, or such that it ends none today.
func protocolRun(fresh bool) time.Duration {
	run := rounds * 10 * time.Second
	now := time.Now().Unix()
	for !fresh && (run < 10*24*time.Hour || now/int64(run.Seconds()) != (now+24*60*60)/int64(run.Seconds())) {
		run += rounds * time.Hour
	}
	return run
}

func (r *Recorder) writeKeys() error {
	dir := filepath.Join(ctor.DataDir(r.dir), "keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	self := Authorities()[r.self]
	private := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}) }
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "authority_certificate"), self.Cert, 0o600),
		os.WriteFile(filepath.Join(dir, "authority_signing_key"), private(x509.MarshalPKCS1PrivateKey(self.Signing)), 0o600),
		os.WriteFile(filepath.Join(dir, "secret_id_key"), private(x509.MarshalPKCS1PrivateKey(keys().relay)), 0o600),
	)
}

// torrc makes C tor one of the authorities. Nobody listens at the addresses of the others, so that it gets only what is
// posted to it.
func (r *Recorder) torrc(protocolRun time.Duration) ctor.Torrc {
	var t ctor.Torrc
	t.Add("TestingTorNetwork", "1")
	for i, a := range Authorities()[:r.authorities] {
		fingerprint := fmt.Sprintf("%040X", i+1)
		if i == r.self {
			fingerprint = fmt.Sprintf("%X", rsakey.Fingerprint(&keys().relay.PublicKey))
		}
		t.Add("DirAuthority", fmt.Sprintf("auth%d orport=1 no-v2 v3ident=%X 127.0.0.1:1 %s", i, a.ID(), fingerprint))
	}
	t.Add("Nickname", fmt.Sprintf("auth%d", r.self))
	t.Add("Address", "127.0.0.1")
	t.Add("ContactInfo", "oracle@example.test")
	t.Add("SocksPort", "0")
	t.Add("ORPort", "127.0.0.1:auto")
	t.Add("DirPort", "127.0.0.1:auto")
	t.Add("AssumeReachable", "1")
	t.Add("ExitRelay", "0")
	t.Add("AuthoritativeDirectory", "1")
	t.Add("V3AuthoritativeDirectory", "1")
	t.Add("VersioningAuthoritativeDirectory", "1")
	t.Add("RecommendedVersions", "0.4.8.21,0.4.9.11")
	t.Add("ConsensusParams", "bwauthpid=1 circwindow=1000")
	t.Add("AuthDirListBadExits", "1")
	seconds := func(d time.Duration) string { return fmt.Sprintf("%d seconds", int(d.Seconds())) }
	t.Add("TestingV3AuthInitialVotingInterval", seconds(interval))
	t.Add("TestingV3AuthInitialVoteDelay", "2 seconds")
	t.Add("TestingV3AuthInitialDistDelay", "2 seconds")
	t.Add("V3AuthVotingInterval", seconds(protocolRun/rounds))
	t.Add("V3AuthVoteDelay", "2 seconds")
	t.Add("V3AuthDistDelay", "2 seconds")
	t.Add("LogTimeGranularity", "1")
	t.Add("Log", "info", "stdout")
	t.Add("ShutdownWaitLength", "0")
	return t
}

// newRun matches what C tor logs when it has made a shared random value, which then is fresh for ever, since there is
// never a consensus to spread it.
var newRun = regexp.MustCompile(`SR: Protocol run #\d+ starting!`)

func (r *Recorder) fresh() (bool, error) {
	log, err := r.proc.Log()
	return newRun.MatchString(log), err
}

// Record gives the votes of a plan to C tor and reads what it makes of them. It takes up to two intervals, or more if
// the machine is too busy for all to be done in time.
func (r *Recorder) Record(ctx context.Context, p *Plan) (*Scenario, error) {
	var errs []error
	for range tries {
		s, err := r.record(ctx, p)
		if err == nil {
			return s, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", p.Name, err))
		if ctx.Err() != nil || errors.Is(err, ctor.ErrEnded) {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func (r *Recorder) record(ctx context.Context, p *Plan) (*Scenario, error) {
	if p.Authorities != r.authorities || p.Self != r.self {
		return nil, fmt.Errorf("the recorder is authority %d of %d: %w", r.self, r.authorities, ErrMissed)
	}
	if p.FreshSRV {
		if _, err := r.proc.Wait(ctx, newRun); err != nil {
			return nil, err
		}
	}
	validAfter := time.Now().UTC().Truncate(interval).Add(2 * interval)
	votes := p.Votes(validAfter)
	if err := r.awaitTurn(ctx, validAfter); err != nil {
		return nil, err
	}
	fresh, err := r.fresh()
	if err != nil {
		return nil, err
	}
	if fresh != p.FreshSRV {
		return nil, fmt.Errorf("fresh shared random value: %v: %w", fresh, ErrMissed)
	}
	for i := range votes {
		if err := r.post(ctx, votes[i].Text); err != nil {
			return nil, err
		}
	}
	s := &Scenario{Name: p.Name, Authorities: r.authorities, Self: r.self, FreshSRV: fresh, ValidAfter: validAfter}
	if err := r.read(ctx, s); err != nil {
		return nil, err
	}
	for i := range votes {
		if !slices.ContainsFunc(s.Votes, func(v Vote) bool { return bytes.Equal(v.Text, votes[i].Text) }) {
			return nil, fmt.Errorf("without the vote of authority %d: %w", votes[i].Authority, ErrMissed)
		}
	}
	if len(s.Votes) != p.Voters {
		return nil, fmt.Errorf("of %d votes for %d: %w", len(s.Votes), p.Voters, ErrMissed)
	}
	return s, nil
}

// awaitTurn returns when C tor takes votes for that time.
func (r *Recorder) awaitTurn(ctx context.Context, validAfter time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, validAfter)
	defer cancel()
	_, err := r.proc.Wait(ctx, regexp.MustCompile(`Choosing expected valid-after time as `+validAfter.Format(timeLayout)))
	return err
}

func (r *Recorder) post(ctx context.Context, vote []byte) error {
	_, err := r.do(ctx, http.MethodPost, "/tor/post/vote", vote)
	return err
}

// do sends a request to C tor's directory port and returns the body of the answer.
func (r *Recorder) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, httpTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}} // and no proxy
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s: %w", method, path, resp.Status, ErrRefused)
	}
	return answer, nil
}

// read waits for the consensuses and reads them and their votes.
func (r *Recorder) read(ctx context.Context, s *Scenario) error {
	validAfter := []byte("\nvalid-after " + s.ValidAfter.Format(timeLayout) + "\n")
	for { // the microdesc flavor is the last that C tor writes
		text, err := os.ReadFile(r.file("my-consensus-microdesc"))
		if err == nil && bytes.Contains(text, validAfter) {
			s.Microdesc = text
			break
		}
		if time.Since(s.ValidAfter) > interval {
			return fmt.Errorf("%w:\n%s", ErrMissed, r.newLog())
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		case <-r.proc.Done():
			return fmt.Errorf("%w:\n%s", ctor.ErrEnded, r.newLog())
		}
	}
	var err error
	if s.NS, err = os.ReadFile(r.file("my-consensus-ns")); err != nil {
		return err
	}
	if !bytes.Contains(s.NS, validAfter) {
		return fmt.Errorf("flavor ns: %w", ErrMissed)
	}
	if _, err := fmt.Sscanf(string(s.NS), "network-status-version 3\nvote-status consensus\nconsensus-method %d\n", &s.Method); err != nil {
		return err
	}
	votes, err := os.ReadFile(r.file("v3-status-votes"))
	if err != nil {
		return err
	}
	s.Votes = splitVotes(votes)
	if s.Signatures, err = r.do(ctx, http.MethodGet, "/tor/status-vote/next/consensus-signatures", nil); err != nil {
		return err
	}
	s.Notes = notes(r.newLog())
	return nil
}

func (r *Recorder) file(name string) string { return filepath.Join(ctor.DataDir(r.dir), name) }

// newLog is what C tor logged since the last call.
func (r *Recorder) newLog() string {
	text, err := r.proc.Log()
	if err != nil {
		return err.Error()
	}
	text, r.logged = text[min(r.logged, len(text)):], len(text)
	return text
}
