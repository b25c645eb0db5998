// Package srv makes shared randomness as a directory authority does: a value that no authority can choose or foresee.
//
// A run of the protocol is 24 votes. In the votes of the first 12 each authority commits itself to a random number, in the
// others it reveals it; then all compute the same value from what was revealed.
//
//	vote         0 ... 11    12 ... 23     0 of the next run
//	phase        Commit      Reveal        the value is computed before this vote and voted on in it
//
// A [State] computes and remembers; it neither waits nor locks nor writes. Whatever changes it must be on disk before the
// next vote is published ([State.Changed], [State.File]): an authority that forgot its number is out of the run, and one
// that commits twice is ignored.
//
//	s := srv.New(cfg, file, now, round, random) // at the start
//	s.Vote()                                    // into the own vote
//	s.Receive(voter, commits)                   // for each vote that came in, the own one too
//	previous, current := s.Agreed(votes, n, m)  // into the consensus
//	s.Published(previous, current, next, random) // when there is a consensus, and with s.Update when there is none
//
// It follows C tor (src/feature/dirauth/shared_random*.c) but for three cases of bad timing, in which C tor takes part in a run
// with what belongs to another:
//
//   - A file is good until the end of the run. C tor drops it one or two votes earlier, and computes a value of no reveals
//     when it is restarted then.
//   - An authority that was down from one commit phase to the next begins anew there. C tor takes both for the same.
//   - That a value is new is known after a restart too.
//
// https://spec.torproject.org/srv-spec/
package srv
