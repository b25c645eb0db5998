package dircache

import (
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// Outcome is how a request ended, in the terms in which relays count requests for consensuses.
//
// https://spec.torproject.org/dir-spec/extra-info-document-format.html
type Outcome uint8

// The outcomes.
const (
	Served        Outcome = iota // all of the answer was sent
	NotEnoughSigs                // the consensus is signed by too few of the authorities that the client names
	Unavailable                  // not used by C tor either
	NotFound                     // also: the consensus is too old or too new
	NotModified                  // the client has the newest
	Busy                         // out of bandwidth or of capacity
	Refused                      // a bad request, or an upload that was not taken
	Failed                       // the answer could not be sent whole
)

var outcomeNames = [...]string{"ok", "not-enough-sigs", "unavailable", "not-found", "not-modified", "busy", "refused", "failed"}

// String returns the name; the first six are those of dirreq-v3-resp.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}

// An Event is a request that was answered.
type Event struct {
	From    From
	Kind    dirhttp.Kind // Other for an upload
	Flavor  consensus.Flavor
	Diff    bool // a consensus diff was sent
	Status  int
	Outcome Outcome

	Encoding dirhttp.Encoding
	Size     int64         // of the body, encoded
	Sent     int64         // bytes that the connection took, with the head
	Took     time.Duration // from the first byte that was waited for to the last that was sent
}
