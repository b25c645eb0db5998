package accounting

import (
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/tropea-net/tropea/internal/wire/statedoc"
)

const (
	mb = 1 << 20
	gb = 1 << 30
)

func parse(t testing.TB, text string) *statedoc.Document {
	t.Helper()
	doc, err := statedoc.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// journal keeps what is logged.
type journal []string

func (j *journal) log(l Level, text string) { *j = append(*j, fmt.Sprint(l, " ", text)) }

// take returns the texts of a level since the last call.
func (j *journal) take(l Level) (texts []string) {
	for _, line := range *j {
		if text, ok := strings.CutPrefix(line, fmt.Sprint(l, " ")); ok {
			texts = append(texts, text)
		}
	}
	*j = nil
	return texts
}

func identity(t testing.TB, text string) (id [20]byte) {
	t.Helper()
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		t.Fatal(err)
	}
	return id
}

// vector is what C tor 0.4.9.11 did with such a state file.
const vector = `AccountingExpectedUsage 10 MB
AccountingIntervalStart 2026-11-03 04:05:00
AccountingBytesReadInInterval 1 GB
AccountingBytesWrittenInInterval 12345
AccountingSecondsActive 3 hours
`

func vectorConfig(t testing.TB) Config {
	return Config{
		Max: 100 * gb, Start: Start{Month, 3, 4, 5}, Zone: time.UTC,
		Identity: identity(t, "CE34604161CF490B40C72B348A3EDABC684BEA07"),
	}
}

func TestWakeOfCTor(t *testing.T) {
	a := New(vectorConfig(t), parse(t, vector), at(t, "2026-11-26T20:28:09Z"))
	start, wake, end := a.Interval()
	for _, tc := range []struct {
		name, want string
		got        time.Time
	}{
		{"start", "2026-11-03T04:05:00Z", start}, {"wake", "2026-11-05T06:12:12Z", wake}, {"end", "2026-12-03T04:05:00Z", end},
	} {
		if got := tc.got.UTC().Format(rfc); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	if a.State() != Live {
		t.Errorf("state: got %v", a.State())
	}
	doc := parse(t, "Dormant 0\nTorVersion Tor 0.4.9.11\n")
	a.Save(doc, at(t, "2026-11-26T20:28:17Z"))
	want := `AccountingBytesReadInInterval 1073741824
AccountingBytesWrittenInInterval 13312
AccountingExpectedUsage 10485760
AccountingIntervalStart 2026-11-03 04:05:00
AccountingSecondsActive 10800
Dormant 0
TorVersion Tor 0.4.9.11
`
	if got := string(doc.AppendTo(nil)); got != want {
		t.Errorf("saved:\n%s\nwant:\n%s", got, want)
	}
}

// step is an event in the life of an account and what comes of it.
type step struct {
	now           string
	read, written uint64
	want          State
}

func TestStates(t *testing.T) {
	for _, tc := range []struct {
		name, doc string
		cfg       Config
		begin     string
		first     State
		steps     []step
	}{
		{name: "off", begin: "2026-05-10T00:00:00Z", first: Live, steps: []step{
			{"2026-05-10T00:00:01Z", math.MaxUint64, math.MaxUint64, Live}, {"2026-07-10T00:00:01Z", 1, 1, Live},
		}},
		{name: "a month", cfg: Config{Max: 1000 * mb, Start: Start{Day: 1}}, begin: "2026-05-10T00:00:00Z", first: Live, steps: []step{
			{"2026-05-10T00:00:01Z", 949 * mb, 0, Live},
			{"2026-05-10T00:00:02Z", mb, 0, Soft}, // 95 % of 1000 MB
			{"2026-05-10T00:00:03Z", 0, 999 * mb, Soft},
			{"2026-05-10T00:00:04Z", 0, mb, Dormant},
			{"2026-05-31T23:59:59Z", 10, 10, Dormant}, // of directory connections
			{"2026-06-01T00:00:00Z", 0, 0, Live},      // it was active for seconds: there is no estimate
		}},
		{name: "soft until the end", cfg: Config{Max: 1000 * mb}, begin: "2026-05-10T00:00:00Z", first: Live, steps: []step{
			{"2026-05-10T00:00:02Z", 951 * mb, 0, Soft},
			{"2026-06-01T00:00:00Z", 0, 0, Live},
		}},
		{name: "over the limit at once", cfg: Config{Max: gb}, begin: "2026-05-10T00:00:00Z", first: Live, steps: []step{
			{"2026-05-10T00:00:02Z", 2 * gb, 0, Dormant},
		}},
		{name: "restart when soft", doc: "AccountingIntervalStart 2026-05-01 00:00:00\nAccountingBytesWrittenInInterval 980 MB\n",
			cfg: Config{Max: 1000 * mb}, begin: "2026-05-10T00:00:00Z", first: Soft},
		{name: "restart when used up", doc: "AccountingIntervalStart 2026-05-01 00:00:00\nAccountingBytesWrittenInInterval 1000 MB\n",
			cfg: Config{Max: 1000 * mb}, begin: "2026-05-10T00:00:00Z", first: Dormant, steps: []step{
				{"2026-06-01T00:00:00Z", 0, 0, Live},
			}},
		{name: "restart in a later interval", doc: "AccountingIntervalStart 2026-02-01 00:00:00\nAccountingBytesWrittenInInterval 1000 MB\n",
			cfg: Config{Max: 1000 * mb}, begin: "2026-05-10T00:00:00Z", first: Live},
		// With this identity the wake-up time is 2026-11-05 06:12:12.
		{name: "not yet awake", doc: vector, cfg: vectorConfig(t), begin: "2026-11-05T06:12:11Z", first: Dormant, steps: []step{
			{"2026-11-05T06:12:12Z", 0, 0, Live},
			{"2026-11-05T06:12:10Z", 0, 0, Live}, // the clock is set back: it stays awake
			{"2026-11-05T06:12:13Z", 0, 0, Live},
		}},
		{name: "sum", cfg: Config{Max: 1000 * mb, Rule: RuleSum}, begin: "2026-05-10T00:00:00Z", first: Live, steps: []step{
			{"2026-05-10T00:00:02Z", 475 * mb, 474 * mb, Live}, {"2026-05-10T00:00:03Z", 0, mb, Soft}, {"2026-05-10T00:00:04Z", 50 * mb, 0, Dormant},
		}},
		{name: "in", cfg: Config{Max: 1000 * mb, Rule: RuleIn}, begin: "2026-05-10T00:00:00Z", first: Live, steps: []step{
			{"2026-05-10T00:00:02Z", mb, 2000 * mb, Live}, {"2026-05-10T00:00:03Z", 949 * mb, 0, Soft}, {"2026-05-10T00:00:04Z", 50 * mb, 0, Dormant},
		}},
		{name: "out", cfg: Config{Max: 1000 * mb, Rule: RuleOut}, begin: "2026-05-10T00:00:00Z", first: Live, steps: []step{
			{"2026-05-10T00:00:02Z", 2000 * mb, mb, Live}, {"2026-05-10T00:00:03Z", 0, 949 * mb, Soft}, {"2026-05-10T00:00:04Z", 0, 50 * mb, Dormant},
		}},
		{name: "overflow", cfg: Config{Max: math.MaxInt64, Rule: RuleSum}, begin: "2026-05-10T00:00:00Z", first: Live, steps: []step{
			{"2026-05-10T00:00:02Z", math.MaxUint64, math.MaxUint64, Dormant}, {"2026-05-10T00:00:03Z", math.MaxUint64, 5, Dormant},
			{"2026-06-01T00:00:00Z", 0, 0, Live},
		}},
		{name: "clock goes back a little over the start", cfg: Config{Max: 1000 * mb, Start: Start{Unit: Day}}, begin: "2026-05-09T23:00:00Z", first: Live, steps: []step{
			{"2026-05-10T00:00:01Z", 0, 0, Live},
			{"2026-05-10T00:00:02Z", 960 * mb, 0, Soft},
			{"2026-05-09T23:59:58Z", 0, 0, Soft}, // nothing is forgotten
			{"2026-05-10T00:00:03Z", 0, 0, Soft},
		}},
		{name: "clock was years ahead", cfg: Config{Max: 1000 * mb}, begin: "2036-05-10T00:00:00Z", first: Live, steps: []step{
			{"2036-05-10T00:00:02Z", 1000 * mb, 0, Dormant},
			{"2026-05-10T00:00:00Z", 0, 0, Live}, // not in ten years
			{"2026-05-10T00:00:02Z", 1000 * mb, 0, Dormant},
			{"2026-05-31T00:00:00Z", 0, 0, Dormant},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.cfg.Zone = time.UTC
			a := New(tc.cfg, parse(t, tc.doc), at(t, tc.begin))
			if a.State() != tc.first {
				t.Fatalf("at first: got %v, want %v", a.State(), tc.first)
			}
			for i, s := range tc.steps {
				if got := a.Add(s.read, s.written, at(t, s.now)); got != s.want || a.State() != got {
					t.Fatalf("step %d, %s: got %v, want %v", i, s.now, got, s.want)
				}
			}
		})
	}
}

func TestSoftLimit(t *testing.T) {
	for _, tc := range []struct {
		name          string
		max, expected uint64
		want          uint64 // 0: never
	}{
		{"little", 100, 0, 95},
		{"one byte", 1, 0, 0},
		{"below 10 GB it is the share", 9 * gb, 0, 9180492595},
		{"above it is 500 MB", 100 * gb, 0, 100*gb - 500*mb},
		{"three hours are less", 100 * gb, mb, 100*gb - 180*mb},
		{"three hours are more", 100 * gb, 10 * mb, 100*gb - 500*mb},
		{"hostile estimate", 100 * gb, math.MaxUint64 / 2, 100*gb - 500*mb},
		{"all there is", math.MaxUint64, 0, math.MaxUint64 - 500*mb},
	} {
		a := &Account{cfg: Config{Max: tc.max}, expected: tc.expected}
		if tc.want == 0 {
			if a.softReached(math.MaxUint64) {
				t.Errorf("%s: reached", tc.name)
			}
		} else if a.softReached(tc.want-1) || !a.softReached(tc.want) {
			t.Errorf("%s: the limit is not %d", tc.name, tc.want)
		}
	}
}

func TestEstimate(t *testing.T) {
	const hour = time.Hour
	for _, tc := range []struct {
		name string
		a    Account
		want uint64
	}{
		{"nothing known", Account{}, 0},
		{"too short", Account{read: gb, active: 29 * time.Minute}, 0},
		{"all the time", Account{read: 600 * mb, active: 10 * hour}, mb},
		{"up to the soft limit", Account{read: 600 * mb, active: 100 * hour, softUsed: 590 * mb, softActive: 5 * hour}, 590 * mb / 300},
		{"soft limit came early", Account{read: 600 * mb, active: 10 * hour, softUsed: 590 * mb, softActive: time.Minute}, mb},
		{"sum", Account{cfg: Config{Rule: RuleSum}, read: 300 * mb, written: 300 * mb, active: 10 * hour}, mb},
		{"no more than the rate", Account{cfg: Config{Rate: 100}, read: 600 * mb, active: 10 * hour}, 6000},
		{"twice the rate", Account{cfg: Config{Rate: 100, Rule: RuleSum}, read: 600 * mb, active: 10 * hour}, 12000},
		{"hostile", Account{cfg: Config{Rate: math.MaxUint64, Rule: RuleSum}, read: math.MaxUint64, active: maxActive}, math.MaxUint64 / (math.MaxInt32 / 60)},
	} {
		if got := tc.a.estimate(); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}

// TestMonths runs a relay that would use three times what it may, and looks at when it is up.
func TestMonths(t *testing.T) {
	cfg := Config{Max: 50 * gb, Zone: zone(t, "America/New_York"), Identity: identity(t, "00112233445566778899AABBCCDDEEFF00112233")}
	const perTick = 1000 << 10 // 5 s at 200 KB/s
	now := at(t, "2026-01-01T05:00:00Z")
	a := New(cfg, new(statedoc.Document), now)
	doc := new(statedoc.Document)
	for month := range 6 {
		start, wake, end := a.Interval()
		if month == 0 && !wake.Equal(start) || month > 0 && (!wake.After(start) || !wake.Before(end)) {
			t.Errorf("month %d: from %v to %v it wakes up at %v", month, start, end, wake)
		}
		var up time.Duration
		for now.Before(end) {
			if a.State() == Dormant {
				now = a.Next()
				if a.SaveDue(now) {
					a.Save(doc, now)
					now = a.Next()
				}
				a.Update(now)
				continue
			}
			now = now.Add(5 * time.Second)
			up += 5 * time.Second
			if a.State() == Soft {
				a.Add(perTick/10, perTick/10, now)
			} else {
				a.Add(perTick, perTick/2, now)
			}
		}
		if d := up - 70*time.Hour; d < 0 || d > 24*time.Hour {
			t.Errorf("month %d: up for %v", month, up)
		}
		// A restart changes nothing.
		a.Save(doc, now)
		b := New(cfg, parse(t, string(doc.AppendTo(nil))), now)
		if b.State() != a.State() || b.wake != a.wake && !b.wake.Equal(a.wake) || !b.end.Equal(a.end) || b.expected != a.expected {
			t.Errorf("month %d: after a restart %v, wake %v, was %v, wake %v", month, b.State(), b.wake, a.State(), a.wake)
		}
		a = b
	}
}

func TestSetConfig(t *testing.T) {
	var j journal
	now := at(t, "2026-05-10T00:00:00Z")
	cfg := Config{Zone: time.UTC, Log: j.log}
	a := New(cfg, parse(t, "AccountingIntervalStart 2026-05-01 00:00:00\nAccountingBytesReadInInterval 100\nAccountingBytesWrittenInInterval 200\n"), now)
	if next := a.Next(); !next.IsZero() || a.SaveDue(now) {
		t.Errorf("without accounting there is something to do at %v", next)
	}
	for i, tc := range []struct {
		max  uint64
		rule Rule
		want State
	}{
		{1000, RuleMax, Live}, {200, RuleMax, Dormant}, {210, RuleMax, Soft}, {210, RuleIn, Live}, {210, RuleSum, Dormant},
		{100, RuleIn, Dormant}, {105, RuleIn, Soft}, {205, RuleOut, Soft}, {300, RuleSum, Dormant}, {0, RuleSum, Live},
	} {
		cfg.Max, cfg.Rule = tc.max, tc.rule
		if got := a.SetConfig(cfg, now); got != tc.want {
			t.Errorf("%d, max %d rule %d: got %v, want %v", i, tc.max, tc.rule, got, tc.want)
		}
	}
	cfg.Max, cfg.Rule = 1000, RuleMax
	a.SetConfig(cfg, now)
	j.take(Notice)
	a.SetConfig(cfg, now)
	if got := j.take(Notice); got != nil {
		t.Errorf("a configuration that is the same says %q", got)
	}

	// AccountingStart may move a little without losing what is counted.
	cfg.Start = Start{Month, 5, 0, 0}
	a.SetConfig(cfg, now)
	if read, written := a.Bytes(); read != 100 || written != 200 || len(j.take(Warn)) != 0 {
		t.Errorf("moved by days: %d, %d are left", read, written)
	}
	if start, _, end := a.Interval(); start.Day() != 1 || end.UTC().Format(rfc) != "2026-06-05T00:00:00Z" {
		t.Errorf("moved by days: %v to %v", start, end)
	}
	cfg.Start = Start{Month, 22, 0, 0}
	a.SetConfig(cfg, at(t, "2026-05-25T00:00:00Z"))
	if read, _ := a.Bytes(); read != 0 {
		t.Errorf("moved by weeks: %d are left", read)
	}
	if got := j.take(Warn); len(got) != 1 {
		t.Errorf("moved by weeks: warnings %q", got)
	}
}

func TestNextAndSave(t *testing.T) {
	now := at(t, "2026-05-10T00:00:00Z")
	after := func(d time.Duration) time.Time { return now.Add(d) }
	doc := new(statedoc.Document)
	a := New(Config{Max: 10 * gb, Zone: time.UTC}, doc, now)
	if !a.SaveDue(now) || !a.Next().Equal(now) {
		t.Error("a new interval is not to be saved")
	}
	a.Save(doc, now)
	end := at(t, "2026-06-01T00:00:00Z")
	for _, tc := range []struct {
		name  string
		bytes uint64
		now   time.Time
		next  time.Time
		due   bool
	}{
		{"nothing happens", 0, after(time.Hour), end, false},
		{"a little", 1, after(time.Second), after(10 * time.Minute), false},
		{"much", 20*mb - 1, after(2 * time.Second), after(time.Minute), false},
		{"a minute later", 0, after(time.Minute), after(time.Minute), true},
		{"the clock is set back", 0, after(-time.Second), after(time.Minute), true},
	} {
		a.Add(0, tc.bytes, tc.now)
		if next := a.Next(); !next.Equal(tc.next) || a.SaveDue(tc.now) != tc.due {
			t.Errorf("%s: next %v, due %v; want %v, %v", tc.name, next, a.SaveDue(tc.now), tc.next, tc.due)
		}
	}
	a.Save(doc, after(time.Minute))
	if v := doc.Int(keyWritten); v != 20*mb || a.SaveDue(after(time.Minute)) {
		t.Errorf("saved %d", v)
	}
	a.Add(0, 10*gb, after(61*time.Second))
	if !a.SaveDue(after(61 * time.Second)) {
		t.Error("a new state is not to be saved at once")
	}
	a.Save(doc, after(61*time.Second))
	if !a.Next().Equal(end) {
		t.Errorf("hibernating: next %v", a.Next())
	}
	if got := doc.Time(keySoftAt); !got.Equal(after(61 * time.Second)) {
		t.Errorf("%s is %v", keySoftAt, got)
	}
}

func TestInterrupt(t *testing.T) {
	now := at(t, "2026-05-10T00:00:00Z")
	a := New(Config{}, new(statedoc.Document), now)
	exit := a.Interrupt(30*time.Second, now)
	if !exit.Equal(now.Add(30*time.Second)) || a.State() != Exiting || !a.Next().Equal(exit) {
		t.Errorf("exit at %v, state %v, next %v", exit, a.State(), a.Next())
	}
	now = now.Add(time.Second)
	if got := a.Add(1, 1, now); got != Exiting {
		t.Errorf("an exiting relay became %v", got)
	}
	if exit := a.Interrupt(30*time.Second, now); !exit.Equal(now) {
		t.Errorf("second time: exit at %v", exit)
	}
	a = New(Config{Max: 1}, parse(t, "AccountingIntervalStart 2026-05-01 00:00:00\nAccountingBytesReadInInterval 100\n"), now)
	if exit := a.Interrupt(30*time.Second, now); !exit.Equal(now) || a.State() != Dormant {
		t.Errorf("hibernating: exit at %v, state %v", exit, a.State())
	}
	a = New(Config{}, new(statedoc.Document), now)
	if exit := a.Interrupt(0, now); !exit.Equal(now) {
		t.Errorf("no wait: exit at %v", exit)
	}
}

func TestWords(t *testing.T) {
	var j journal
	now := at(t, "2026-11-05T06:12:11Z")
	cfg := vectorConfig(t)
	cfg.Log, cfg.Zone = j.log, zone(t, "Europe/Berlin")
	cfg.Start.Hour = 5
	a := New(cfg, parse(t, vector), now)
	want := func(texts ...string) {
		t.Helper()
		got := j.take(Notice)
		if len(got) != len(texts) {
			t.Fatalf("got %q, want %d texts", got, len(texts))
		}
		for i, text := range texts {
			if !strings.Contains(got[i], text) {
				t.Errorf("got %q, want %q", got[i], text)
			}
		}
	}
	want("This interval is from 2026-11-03 05:05:00 local time to 2026-12-03 05:05:00 local time. "+
		"The relay is to be awake from 2026-11-05 07:12:12 local time to about 2026-11-12 09:52:12 local time",
		"wakes up at 2026-11-05 07:12:12 local time")
	a.Update(now.Add(time.Second))
	want("normal activity")
	a.Add(99*gb-100*mb, 0, now.Add(2*time.Second))
	want("no new connections are taken until 2026-12-03 05:05:00")
	a.Add(1*gb, 0, now.Add(3*time.Second))
	want("The next interval begins at 2026-12-03 05:05:00")
	for s, text := range map[State]string{Live: "AWAKE", Soft: "SOFT", Dormant: "HARD", Exiting: "EXITING"} {
		if s.String() != text || s.TakesNew() != (s == Live) || s.Carries() != (s != Dormant) {
			t.Errorf("%d: %v, %v, %v", s, s, s.TakesNew(), s.Carries())
		}
	}
}

func TestLeft(t *testing.T) {
	for _, tc := range []struct {
		rule          Rule
		read, written uint64
	}{{RuleMax, 700, 0}, {RuleSum, 0, 0}, {RuleIn, 700, 1000}, {RuleOut, 1000, 0}} {
		a := Account{cfg: Config{Max: 1000, Rule: tc.rule}, read: 300, written: 1500}
		if r, w := a.Left(); r != tc.read || w != tc.written {
			t.Errorf("rule %d: got %d, %d; want %d, %d", tc.rule, r, w, tc.read, tc.written)
		}
	}
}

func TestLeaves(t *testing.T) {
	now := at(t, "2026-05-10T00:00:00Z")
	for _, tc := range []struct {
		name string
		cfg  Config
		want uint64
	}{
		{"off", Config{}, 0},
		{"max", Config{Max: 86400 * 100}, 100},
		{"little", Config{Max: 100}, 1},
		{"sum", Config{Max: 86400 * 100, Rule: RuleSum}, 50},
		{"in", Config{Max: 86400, Rule: RuleIn}, 0},
	} {
		tc.cfg.Start.Unit, tc.cfg.Zone = Day, time.UTC
		if got := New(tc.cfg, new(statedoc.Document), now).Leaves(); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}

// TestBadState checks that no value in a state file stops a relay, or makes it forget its limit for long.
func TestBadState(t *testing.T) {
	now := at(t, "2026-05-10T00:00:00Z")
	for _, tc := range []struct {
		name, doc string
		warnings  int
		want      State
	}{
		{"not numbers", "AccountingBytesReadInInterval x\nAccountingSecondsActive -5\nAccountingExpectedUsage 1e9\nAccountingIntervalStart yesterday\n", 3, Live},
		{"too large", "AccountingBytesReadInInterval 99999999999999999999\nAccountingSecondsActive 99999999999\nAccountingIntervalStart 2026-05-01 00:00:00\n", 2, Live},
		{"as large as can be", "AccountingBytesReadInInterval 9223372036854775807\nAccountingBytesWrittenInInterval 9223372036854775807\n" +
			"AccountingExpectedUsage 9223372036854775807\nAccountingSecondsActive 2147483647\nAccountingIntervalStart 2026-05-01 00:00:00\n", 0, Dormant},
		{"far future", "AccountingIntervalStart 9999-12-31 23:59:59\nAccountingBytesReadInInterval 100 TB\n", 1, Live},
		{"soon", "AccountingIntervalStart 2026-05-12 00:00:00\nAccountingBytesReadInInterval 100 TB\n", 1, Live},
		{"long past", "AccountingIntervalStart 1970-01-01 00:00:01\nAccountingBytesReadInInterval 100 TB\n", 0, Live},
		{"soft limit of another interval", "AccountingIntervalStart 2026-05-01 00:00:00\nAccountingSoftLimitHitAt 2026-04-30 00:00:00\nAccountingBytesAtSoftLimit x\n", 0, Live},
		{"soft limit in the future", "AccountingIntervalStart 2026-05-01 00:00:00\nAccountingSoftLimitHitAt 2999-04-30 00:00:00\nAccountingBytesAtSoftLimit 5\n", 0, Live},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var j journal
			a := New(Config{Max: gb, Zone: time.UTC, Log: j.log}, parse(t, tc.doc), now)
			if got := j.take(Warn); len(got) != tc.warnings {
				t.Errorf("warnings: %q, want %d", got, tc.warnings)
			}
			if a.State() != tc.want {
				t.Errorf("state: got %v, want %v", a.State(), tc.want)
			}
			next := a.Update(at(t, "2026-06-01T00:00:00Z"))
			if _, wake, _ := a.Interval(); next != Live && !wake.After(at(t, "2026-06-01T00:00:00Z")) {
				t.Errorf("in the next interval: %v, wake %v", next, wake)
			}
		})
	}
}

// FuzzState checks, for any state file, that what is saved is read again, and that the account obeys its limits.
func FuzzState(f *testing.F) {
	f.Add(vector, uint64(1<<30), uint8(0), int64(1800000000))
	f.Add("AccountingSoftLimitHitAt 2026-05-02 00:00:00\nAccountingIntervalStart 2026-05-01 00:00:00\nAccountingBytesAtSoftLimit 5 GB\n"+
		"AccountingSecondsToReachSoftLimit 1 month\n", uint64(1<<40), uint8(7), int64(1790000000))
	f.Fuzz(func(t *testing.T, text string, most uint64, choice uint8, unix int64) {
		doc, err := statedoc.Parse([]byte(text))
		if err != nil || unix < 1 || unix > 1<<35 || most == 0 {
			return
		}
		now := time.Unix(unix, 0)
		cfg := Config{Max: most, Rule: Rule(choice % 4), Start: Start{Unit: Unit(choice / 4 % 3), Day: int(choice / 12)}, Zone: time.UTC}
		a := New(cfg, doc, now)
		start, wake, end := a.Interval()
		if !start.Before(end) || start.After(now) || !now.Before(end) || wake.Before(start) || !wake.Before(end) {
			t.Fatalf("now %v, interval %v, %v, %v", now, start, wake, end)
		}
		if (a.Used() >= most || now.Before(wake)) != (a.State() == Dormant) {
			t.Fatalf("%d of %d used, wake %v, now %v: %v", a.Used(), most, wake, now, a.State())
		}
		a.Save(doc, now)
		b := New(cfg, doc, now)
		if b.Used() < a.Used() && a.Used() < math.MaxInt64 || !b.start.Equal(a.start) || !b.wake.Equal(a.wake) || b.active != a.active.Truncate(time.Second) {
			t.Fatalf("after a restart %+v\nwas %+v", b, a)
		}
		if a.Add(most, most, now) != Dormant {
			t.Fatal("not dormant at the limit")
		}
	})
}
