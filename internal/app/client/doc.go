// Package client puts the parts of a Tor client together: links, circuits, directory, guards and streams. The library
// and the daemon both run one; it has no front door, no configuration file and no output of its own.
package client
