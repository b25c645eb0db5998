// Package safelog keeps what identifies a person out of the log.
//
// Addresses, destinations, paths, bridges and the like are wrapped where they reach a log line or an error text, and
// only there: maps and hot structs hold the plain value. Every formatter prints a wrapped value as [scrubbed], so
// that a careless %+v three layers up cannot leak it:
//
//	log.Info("stream failed", "target", safelog.Of(target), "err", safelog.Error(err, "dial [scrubbed]: timed out"))
//
// One handler undoes it, for SafeLogging 0: the one that [Revealing] returns.
//
// The package also names C tor's five log levels in terms of slog's.
package safelog
