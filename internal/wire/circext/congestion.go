package circext

import "fmt"

// Types of the extensions for congestion control.
const (
	TypeCCRequest  uint8 = 1
	TypeCCResponse uint8 = 2
)

// CCRequest asks for congestion control at this hop. A receiver looks at its presence alone; the body is empty.
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
func CCRequest() Extension { return Extension{Type: TypeCCRequest} }

// CCResponse grants congestion control.
//
//	SENDME increment 1
//
// https://spec.torproject.org/proposals/324-rtt-congestion-control.html
type CCResponse struct {
	SendmeInc uint8 // DATA cells acknowledged by one SENDME
}

// ParseCCResponse parses the body of a CC response. The increment is a divisor later, so 0 is an error.
func ParseCCResponse(body []byte) (CCResponse, error) {
	if len(body) < 1 {
		return CCResponse{}, fmt.Errorf("CC response: %w", ErrTruncated)
	}
	if body[0] == 0 {
		return CCResponse{}, fmt.Errorf("CC response with increment 0: %w", ErrMalformed)
	}
	return CCResponse{body[0]}, nil
}

// Extension is m as an extension.
func (m CCResponse) Extension() Extension {
	return Extension{Type: TypeCCResponse, Body: []byte{m.SendmeInc}}
}
