package vote

// ParseUnverified is Parse without a look at the signature, which no fuzzer makes.
func ParseUnverified(doc []byte) (*Vote, error) {
	p := newParser(doc)
	return p.v, p.parse(MinIntervalTesting)
}
