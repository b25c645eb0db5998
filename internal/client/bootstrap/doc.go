// Package bootstrap tells people how far the start has come and, when it is stuck, why and what to do.
//
// It reads the events of links, directory and circuits, and turns them into the numbers, tags and sentences of C tor,
// which many programs parse.
package bootstrap
