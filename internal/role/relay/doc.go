// Package relay carries other nodes' circuits: it answers CREATE2 and CREATE_FAST on a pool of workers, finds or makes the
// links that circuits are extended over, and hands what comes to the end of a circuit here to whoever serves it.
//
// Cells that pass through never come here: package circuit moves them.
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
package relay
