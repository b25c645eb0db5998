//go:build !unix

package daemon

// maxFiles is how many sockets C tor counts on here.
func maxFiles() (int, error) { return 15000, nil }
