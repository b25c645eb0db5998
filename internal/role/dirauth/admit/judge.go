package admit

import (
	"time"

	"github.com/tropea-net/tropea/internal/lib/inet"
	"github.com/tropea-net/tropea/internal/wire/approvedrouters"
	"github.com/tropea-net/tropea/internal/wire/extrainfo"
	"github.com/tropea-net/tropea/internal/wire/keypin"
	"github.com/tropea-net/tropea/internal/wire/routerdesc"
)

// How far the clock of a relay may be off.
const (
	maxSkew = 12 * time.Hour // into the future: ROUTER_ALLOW_SKEW
	maxAge  = 24 * time.Hour // of a descriptor: ROUTER_MAX_AGE_TO_PUBLISH
)

// A verdict is what becomes of a document, and why.
type verdict struct {
	Outcome
	message string
}

func reject(message string) verdict { return verdict{Rejected, message} }

// judgeUpload applies the rules that are about uploads alone. old is the descriptor that we have, nil if none; goodKey tells
// whether ed25519x.IsKey of the Ed25519 identity, which takes time.
//
// C tor: dirserv_add_descriptor.
func (c *Config) judgeUpload(old, d *routerdesc.Descriptor, pins *keypin.Pins, goodKey bool) verdict {
	switch {
	case len(d.Text) > routerdesc.MaxUpload:
		return reject(msgTooLarge)
	case d.OnionKey == nil: // "Missing TAP key": microdescriptors still need it
		return reject(msgNoTAP)
	case old != nil && old.Published.Before(d.Published) && d.RSA != c.Own && cosmetic(old, d):
		return verdict{Known, msgCosmetic}
	case !goodKey:
		return reject(msgNoMessage)
	case c.PinKeys && pins.Check(pinOf(d)) == keypin.Mismatch:
		return reject(msgKeysMoved)
	}
	return verdict{}
}

func pinOf(d *routerdesc.Descriptor) keypin.Pin { return keypin.Pin{RSA: d.RSA, Ed25519: d.Ed25519} }

// judge applies the rules for descriptors from anywhere.
//
// C tor: router_add_to_routerlist, authdir_wants_to_reject_router.
func (c *Config) judge(old, d *routerdesc.Descriptor, pins *keypin.Pins, listed bool, now time.Time) (verdict, approvedrouters.Status) {
	now = now.Truncate(time.Second)
	switch {
	case d.KeysExpire.Before(now):
		return verdict{Expired, msgCertsExpired}, 0
	case old != nil && old.Digest == d.Digest:
		return verdict{Known, msgNotNew}, 0
	}
	status, why := c.Status(Identity{d.RSA, d.Ed25519, d.OR}, d.Platform)
	switch {
	case status.Has(approvedrouters.Reject):
		return reject(why), 0
	case c.PinKeys && pins.Check(pinOf(d)) == keypin.Mismatch:
		return reject(msgKeysChanged), 0
	case d.Published.After(now.Add(maxSkew)):
		return reject(msgFuture), 0
	case d.Published.Before(now.Add(-maxAge)):
		return reject(msgPast), 0
	case !c.AllowPrivate && (inet.IsInternal(d.OR.Addr()) || d.OR6.IsValid() && inet.IsInternal(d.OR6.Addr())):
		return reject(msgPrivate), 0
	case old == nil:
		return verdict{Added, msgAccepted}, status
	case !listed && !d.Published.After(old.Published):
		return verdict{Known, msgNotNew}, 0
	case status.Has(approvedrouters.Invalid):
		return verdict{Added, msgInvalid}, status
	}
	return verdict{Added, msgValid}, status
}

// judgeExtra tells whether an extra-info document, whose RSA signature is right, belongs to the descriptor that we have.
//
// C tor: dirserv_add_extrainfo, routerinfo_incompatible_with_extrainfo.
func judgeExtra(e *extrainfo.Document, d *routerdesc.Descriptor) verdict {
	sameSHA1 := e.Digest == d.ExtraInfo
	sameSHA256 := e.Digest256 == d.ExtraInfo256 || d.ExtraInfo256 == [32]byte{}
	switch {
	case e.Ed25519 != d.Ed25519 || e.SigningKey != d.SigningKey:
		return verdict{BadExtraInfo, msgExtraCert}
	case e.Published.Before(d.Published):
		return verdict{BadExtraInfo, msgExtraTime}
	case e.Published.After(d.Published):
		return verdict{Known, msgExtraTime}
	case !sameSHA256 && !sameSHA1:
		return verdict{BadExtraInfo, msgExtraDigests}
	case !sameSHA256:
		return verdict{BadExtraInfo, msgExtraSHA256}
	case !sameSHA1:
		return verdict{BadExtraInfo, msgExtraDigest}
	}
	return verdict{}
}
