// Package daemon builds a node out of a configuration and runs it: data directory and lock, log, client, and the doors
// for programs. It alone sees all parts; they know each other by small interfaces that it satisfies.
package daemon
