package accounting

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/tropea-net/tropea/internal/wire/statedoc"
	"github.com/tropea-net/tropea/internal/wire/torrc"
)

// The keys of the state file. Amounts are in bytes and times in seconds; as in torrc, both may have a unit.
const (
	keyRead       = "AccountingBytesReadInInterval"
	keyWritten    = "AccountingBytesWrittenInInterval"
	keyExpected   = "AccountingExpectedUsage" // bytes per minute
	keyStart      = "AccountingIntervalStart"
	keyActive     = "AccountingSecondsActive"
	keySoftActive = "AccountingSecondsToReachSoftLimit"
	keySoftAt     = "AccountingSoftLimitHitAt"
	keySoftUsed   = "AccountingBytesAtSoftLimit"
)

// maxActive is the longest time that C tor reads from its file.
const maxActive = math.MaxInt32 * time.Second

// load takes what a document has. A value that is malformed counts as missing.
func (a *Account) load(doc *statedoc.Document) {
	a.read, a.written = load(a, doc, keyRead, torrc.MemUnit), load(a, doc, keyWritten, torrc.MemUnit)
	a.expected = load(a, doc, keyExpected, torrc.MemUnit)
	a.active = load(a, doc, keyActive, torrc.Interval)
	a.start = doc.Time(keyStart)
	a.savedRead, a.savedWritten = a.read, a.written
	if t := doc.Time(keySoftAt); t.After(a.start) { // else it is of another interval
		a.softAt, a.softUsed = t, load(a, doc, keySoftUsed, torrc.MemUnit)
		a.softActive = load(a, doc, keySoftActive, torrc.Interval)
	}
}

func load[T any](a *Account, doc *statedoc.Document, key string, parse func(string) (T, error)) (v T) {
	text, ok := doc.Get(key)
	if !ok {
		return v
	}
	v, err := parse(text)
	if err != nil {
		a.cfg.Log(Warn, fmt.Sprintf("%s in the state file is left out: %v", key, err))
	}
	return v
}

// Save writes the account into a document. Without accounting it leaves the document as it is.
func (a *Account) Save(doc *statedoc.Document, now time.Time) {
	if a.cfg.Max == 0 {
		return
	}
	// C tor writes no zeros, and rounds what changes all the time.
	set := func(key string, n uint64) {
		if n == 0 {
			doc.Set(key)
			return
		}
		doc.Set(key, strconv.FormatUint(min(n, math.MaxInt64), 10))
	}
	kilobytes := func(n uint64) uint64 { return add(n, 1023) &^ 1023 }
	set(keyRead, kilobytes(a.read))
	set(keyWritten, kilobytes(a.written))
	set(keyExpected, a.expected)
	set(keyActive, uint64(a.active/time.Second))
	set(keySoftActive, uint64(a.softActive/time.Second))
	set(keySoftUsed, a.softUsed)
	doc.SetTime(keyStart, a.start)
	doc.SetTime(keySoftAt, a.softAt)
	a.savedAt, a.savedRead, a.savedWritten, a.changed = now, a.read, a.written, false
}

// When to save: at once if the state or the interval has changed, soon after much traffic, and in time after little.
const (
	saveBytes   = 20 << 20
	saveSoon    = time.Minute
	saveAtLeast = 10 * time.Minute
)

// SaveDue tells whether it is time for Save. Before the program exits, Save is called in any case.
func (a *Account) SaveDue(now time.Time) bool {
	due := a.saveDue()
	return !due.IsZero() && (!now.Before(due) || now.Before(a.savedAt))
}

// saveDue returns when to save; the zero time if there is nothing new.
func (a *Account) saveDue() time.Time {
	read, written := a.read-min(a.savedRead, a.read), a.written-min(a.savedWritten, a.written)
	switch {
	case a.cfg.Max == 0:
		return time.Time{}
	case a.changed:
		return a.savedAt
	case max(read, written) >= saveBytes:
		return a.savedAt.Add(saveSoon)
	case max(read, written) > 0:
		return a.savedAt.Add(saveAtLeast)
	}
	return time.Time{}
}
