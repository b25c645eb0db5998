package cell

import "fmt"

// CreateFast makes the first hop of a circuit without public-key operations: TLS has already proved who the relay is.
//
//	X 20
//
// https://spec.torproject.org/tor-spec/create-created-cells.html
type CreateFast struct {
	X [20]byte
}

// ParseCreateFast parses the body of a CREATE_FAST cell.
func ParseCreateFast(body []byte) (m CreateFast, err error) {
	if copy(m.X[:], body) < len(m.X) {
		return CreateFast{}, fmt.Errorf("CREATE_FAST: %w", ErrTruncated)
	}
	return m, nil
}

// AppendTo appends the body of m to dst.
func (m CreateFast) AppendTo(dst []byte) ([]byte, error) { return append(dst, m.X[:]...), nil }
