package dirsync

import "time"

// Stage is how far the directory has come.
type Stage uint8

// The stages, in order.
const (
	Starting         Stage = iota
	DirCircuit             // a directory server is being connected to
	RequestingStatus       // a consensus was asked for
	LoadingStatus          // it is coming
	LoadingKeys            // authority certificates were asked for
	RequestingDescs        // microdescriptors were asked for
	LoadingDescs           // they are coming
	Enough                 // circuits can be built
)

// An Event tells of progress or trouble.
type Event struct {
	Stage    Stage
	Fraction float64       // of the paths that are needed, in LoadingDescs
	Skew     time.Duration // how far our clock seems to be ahead; zero if it seems right
	Err      error         // of a download that failed, or a document that was refused
}
