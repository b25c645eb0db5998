package dirauth

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tropea-net/tropea/internal/role/dircache"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
	"github.com/tropea-net/tropea/internal/wire/vote"
	"github.com/tropea-net/tropea/internal/wire/vote/votetest"
)

// bring brings a document to an authority, and returns the answer.
func (m *member) bring(t *testing.T, path string, body []byte) *dircache.Reply {
	t.Helper()
	if len(body) > m.MaxUpload(path, dircache.From{}) {
		t.Fatalf("%s: %d bytes would not be read", path, len(body))
	}
	return m.Hook(t.Context(), &dircache.Request{Method: "POST", Path: path, Body: body, From: dircache.From{Addr: netip.MustParseAddr("198.51.100.1")}})
}

// Votes of strangers, for other times, too late, damaged or contradictory are refused, with C tor's words, and the round goes on.
//
// https://spec.torproject.org/dir-spec/exchanging-votes.html
func TestHostileVotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, 4)
		m := b.auths[0]
		s := m.round.times()
		time.Sleep(time.Until(s.Vote))
		made := func(i int, change func(*vote.Vote)) []byte {
			o := votetest.Make(i+1, 20, 1)[i]
			o.ValidAfter, o.FreshUntil, o.ValidUntil = s.ValidAfter, s.ValidAfter.Add(time.Hour), s.ValidAfter.Add(3*time.Hour)
			o.Published, o.VoteDelay, o.DistDelay = time.Now(), testTiming.VoteDelay, testTiming.DistDelay
			if change != nil {
				change(o)
			}
			return votetest.Sign(o)
		}
		good := made(1, nil)
		damaged := bytes.Replace(good, []byte("Running"), []byte("Runninh"), 1)
		for _, tt := range []struct {
			name   string
			body   []byte
			status int
			words  string
		}{
			{"empty", nil, 400, "Unable to parse vote"},
			{"garbage", []byte(strings.Repeat("\x00\xff", 1000)), 400, "Unable to parse vote"},
			{"damaged", damaged, 400, "Unable to parse vote"},
			{"cut short", good[:len(good)/2], 400, "Unable to parse vote"},
			{"of a stranger", made(4, nil), 400, "Vote not from a recognized v3 authority"},
			{"for another time", made(1, func(v *vote.Vote) {
				v.ValidAfter, v.FreshUntil, v.ValidUntil = v.ValidAfter.Add(time.Hour), v.FreshUntil.Add(time.Hour), v.ValidUntil.Add(time.Hour)
			}), 400, "Bad valid-after time"},
			{"good", good, 200, "Vote stored"},
			{"again", good, 200, "Duplicate discarded"},
			{"older", made(1, func(v *vote.Vote) { v.Published = v.Published.Add(-time.Minute) }), 400, "Already have a newer pending vote"},
			{"newer", made(1, func(v *vote.Vote) { v.Published = v.Published.Add(time.Second) }), 200, "Vote stored"},
			{"two at once", append(made(2, nil), made(3, nil)...), 200, "Vote stored"},
		} {
			r := m.bring(t, dirhttp.PathUploadVote, tt.body)
			if r.Status != tt.status || r.Reason != tt.words {
				t.Errorf("%s: %d %q, want %d %q", tt.name, r.Status, r.Reason, tt.status, tt.words)
			}
		}
		if n := len(m.round.missing()); n != 1 { // our own
			t.Errorf("%d votes are missing", n)
		}
		time.Sleep(time.Until(s.FetchVotes.Add(time.Second)))
		if r := m.bring(t, dirhttp.PathUploadVote, made(1, func(v *vote.Vote) { v.Published = time.Now() })); r.Status != 400 || !strings.Contains(r.Reason, "too late") {
			t.Errorf("late: %d %q", r.Status, r.Reason)
		}
	})
}

// Signatures that are damaged, or of something else, change nothing; those that come before the consensus are kept, to a bound.
//
// https://spec.torproject.org/dir-spec/exchanging-signatures.html
func TestHostileSignatures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, 3)
		next := hour(1)
		b.run(func() {
			time.Sleep(time.Until(next.Add(-testTiming.DistDelay + 30*time.Second)))
			m := b.auths[0]
			good := m.round.signatures()
			if good == nil {
				t.Fatal("no signatures")
			}
			for _, tt := range []struct {
				name   string
				body   []byte
				status int
			}{
				{"empty", nil, 400},
				{"garbage", []byte("consensus-digest nonsense\n"), 400},
				{"cut short", good[:len(good)-30], 400},
				{"other digest", bytes.Replace(good, good[len("consensus-digest "):][:4], []byte("0000"), 1), 400},
				{"again", good, 200},
			} {
				if r := m.bring(t, dirhttp.PathUploadSignature, tt.body); r.Status != tt.status {
					t.Errorf("%s: %d %q, want %d", tt.name, r.Status, r.Reason, tt.status)
				}
			}
			time.Sleep(time.Until(next.Add(time.Minute)))
			b.wantSame(next, 3, b.auths...)
			// In the next round they come before the consensus.
			for i := range maxQueued + 1 {
				if r := m.bring(t, dirhttp.PathUploadSignature, good); (r.Status == 200) != (i < maxQueued) {
					t.Errorf("document %d that is queued: %d %q", i, r.Status, r.Reason)
				}
			}
			time.Sleep(time.Until(next.Add(time.Hour + time.Minute)))
			b.wantSame(next.Add(time.Hour), 3, b.auths...)
		})
	})
}

// Requests of others get what there is, and nothing else.
func TestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, 3)
		next := hour(1)
		b.run(func() {
			time.Sleep(time.Until(next.Add(-testTiming.DistDelay + 30*time.Second)))
			m := b.auths[0]
			id := func(i int) string { return ids([]Voter{m.cfg.Voters[i]})[0] }
			get := func(path string) int {
				r := m.Hook(t.Context(), &dircache.Request{Method: "GET", Path: path})
				if r == nil {
					return 0
				}
				return len(r.Docs)
			}
			for path, want := range map[string]int{
				"/tor/status-vote/next/authority":                                  1,
				"/tor/status-vote/next/consensus":                                  1,
				"/tor/status-vote/next/consensus-signatures":                       1,
				"/tor/status-vote/next/" + id(1):                                   1,
				"/tor/status-vote/next/" + id(0) + "+" + id(2) + "+x":              2,
				"/tor/status-vote/next/" + strings.Repeat(id(1)+"+", 1000) + id(2): 1,
				"/tor/status-vote/next/bandwidth":                                  1,
				"/tor/status-vote/current/bandwidth":                               0,
				"/tor/status-vote/next/":                                           0,
				"/tor/status-vote/next/d/" + strings.Repeat("00", 20):              0,
				"/tor/status-vote/current/authority":                               0, // there was no round before
				"/tor/status-vote/current/consensus-signatures":                    0,
				"/tor/server/all":                                                  0,
			} {
				if got := get(path); got != want {
					t.Errorf("%.60s: %d documents, want %d", path, got, want)
				}
			}
			time.Sleep(time.Until(next.Add(time.Minute)))
			for path, want := range map[string]int{
				"/tor/status-vote/current/authority":         1,
				"/tor/status-vote/current/" + id(2):          1,
				"/tor/status-vote/next/authority":            0,
				"/tor/status-vote/next/consensus-signatures": 0,
			} {
				if got := get(path); got != want {
					t.Errorf("after the round, %.60s: %d documents, want %d", path, got, want)
				}
			}
			if r := m.Hook(t.Context(), &dircache.Request{Method: "POST", Path: "/tor/post/nonsense"}); r != nil || m.MaxUpload("/tor/post/nonsense", dircache.From{}) != 0 {
				t.Errorf("unknown upload: %+v", r)
			}
		})
	})
}
