package accounting

// State is how far the relay is awake.
//
//	          ┌─────────► Soft ──────┐
//	Live ─────┤                      ├──► Dormant ──► Live, in the next interval
//	  │       └──────────────────────┘
//	  └► Exiting
//
// What the daemon does in each:
//
//	                       Live   Soft   Dormant  Exiting
//	listens for links      yes    no     no       no
//	CREATE                 takes  DESTROY HIBERNATING in all others
//	BEGIN, RESOLVE         takes  END HIBERNATING in all others (RESOLVE: an error)
//	own client streams     takes  refused in all others
//	links and streams      kept   kept   closed   kept
//	idle links             kept   closed in all others
//	directory fetches      yes    no     no       no
//	descriptor             normal "hibernating 1", bandwidth 0, in all others
//
// Control ports stay in all states, and so do connections for the directory, since the descriptor has to be uploaded. On
// the way to Live the listeners come back and the uptime that is published begins anew.
type State uint8

// The states. Exiting has no limits: it lasts for ShutdownWaitLength.
const (
	Live    State = iota + 1 // C tor: LIVE
	Soft                     // C tor: LOWBANDWIDTH; nearly all bytes are used
	Dormant                  // C tor: DORMANT; all bytes are used, or it is not yet time to wake up
	Exiting                  // C tor: EXITING
)

// String returns the word of C tor's control protocol (HIBERNATION_STATUS; GETINFO accounting/hibernating has it in lower
// case).
func (s State) String() string {
	switch s {
	case Soft:
		return "SOFT"
	case Dormant:
		return "HARD"
	case Exiting:
		return "EXITING"
	}
	return "AWAKE"
}

// TakesNew tells whether new links, circuits and streams are taken.
func (s State) TakesNew() bool { return s == Live }

// Carries tells whether links and streams that are there may go on.
func (s State) Carries() bool { return s != Dormant }
