// Package bwfile reads the bandwidth file that a directory authority votes from: what a scanner measured of each relay.
//
//	1795735034
//	version=1.4.0
//	software=sbws
//	=====
//	bw=5000 node_id=$30C81762900F0BEF274E38DE65D46D876103F544 nick=relay1
//
// The first line is the time of the measurements; header lines follow, which go into the vote, and then a line for each relay.
// In version 1.0.0 there are neither headers nor the line that ends them. [Parse] takes what C tor's bwauth.c takes.
//
// https://spec.torproject.org/bandwidth-file-spec/
package bwfile
