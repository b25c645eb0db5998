package admit

import (
	"bytes"
	"slices"
	"strings"
	"time"

	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// When a new descriptor tells enough that is new.
const (
	maxCosmeticAge = 2 * time.Hour // ROUTER_MAX_COSMETIC_TIME_DIFFERENCE
	maxUptimeDrift = 6 * time.Hour // ROUTER_ALLOW_UPTIME_DRIFT
)

// cosmetic tells whether a newer descriptor of a relay says nothing that matters.
//
// C tor: router_differences_are_cosmetic, which looks at the TAP key and not at the ntor key, since relays replace both at
// once. Ours need not have a TAP key.
func cosmetic(old, d *routerdesc.Descriptor) bool {
	return sameRelay(old, d) &&
		old.Bandwidth.Rate == d.Bandwidth.Rate && old.Bandwidth.Burst == d.Bandwidth.Burst &&
		old.Bandwidth.Observed >= d.Bandwidth.Observed/2 && d.Bandwidth.Observed >= old.Bandwidth.Observed/2 &&
		!old.Published.Add(maxCosmeticAge).Before(d.Published) &&
		uptimeGoesOn(old, d)
}

func sameRelay(a, b *routerdesc.Descriptor) bool {
	return a.OR == b.OR && a.OR6 == b.OR6 && a.DirPort == b.DirPort && strings.EqualFold(a.Nickname, b.Nickname) &&
		bytes.Equal(a.OnionKey, b.OnionKey) && a.Ntor == b.Ntor && a.RSA == b.RSA &&
		strings.EqualFold(a.Platform, b.Platform) && strings.EqualFold(a.Contact, b.Contact) &&
		a.Hibernating == b.Hibernating && a.DirCache == b.DirCache &&
		slices.Equal(a.Policy, b.Policy) && slices.EqualFunc(a.Family, b.Family, strings.EqualFold)
}

// uptimeGoesOn tells whether the uptime grew about as time went by.
func uptimeGoesOn(old, d *routerdesc.Descriptor) bool {
	drift := (d.Uptime - (old.Uptime + d.Published.Sub(old.Published))).Abs()
	return drift <= maxUptimeDrift || drift <= old.Uptime/20 || drift <= d.Uptime/20
}
