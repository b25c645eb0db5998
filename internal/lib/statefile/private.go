package statefile

// A Policy says who may see a directory besides its owner. The zero Policy: nobody; the directory is made if it is not
// there, and rights that are too wide are taken away.
type Policy struct {
	// GroupReadable lets the group of the process read, as DataDirectoryGroupReadable and its like ask for.
	GroupReadable bool

	// CheckOnly neither makes the directory nor changes its rights: what is wrong is an error.
	CheckOnly bool
}

// mode returns the rights of a directory that is made.
func (p Policy) mode() uint32 {
	if p.GroupReadable {
		return 0o750
	}
	return dirMode
}
