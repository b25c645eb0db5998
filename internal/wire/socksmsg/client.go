package socksmsg

import "fmt"

// clientState is where a Client is in the handshake. An error leads to clientDone as well.
//
//	awaitReply → done                                    SOCKS4
//	awaitMethod [→ awaitAuth] → awaitReply → done        SOCKS5
type clientState uint8

const (
	awaitMethod clientState = iota
	awaitAuth
	awaitReply
	clientDone
)

// Client is the other side of a handshake: it asks a proxy for Request.
type Client struct {
	Request Request

	state clientState
	reply Reply
}

// Start returns the first message. It comes before Step.
func (c *Client) Start() ([]byte, error) {
	switch c.Request.Version {
	case Version4:
		c.state = awaitReply
		return appendRequest4(nil, c.Request)
	case Version5:
		return Greeting{[]byte{byte(c.offer())}}.AppendTo(nil)
	}
	return nil, fmt.Errorf("SOCKS%d: %w", c.Request.Version, ErrVersion)
}

// Step takes the next message from the start of buf. It returns the message's length n, and out, which is to be sent
// next (possibly nil). n == 0 without an error means that bytes are missing. A refusal is a [RefusedError].
func (c *Client) Step(buf []byte) (n int, out []byte, err error) {
	if len(buf) == 0 {
		return 0, nil, nil
	}
	switch c.state {
	case awaitMethod:
		n, out, err = c.method(buf)
	case awaitAuth:
		n, out, err = c.authStatus(buf)
	case awaitReply:
		n, err = c.readReply(buf)
	case clientDone:
		return 0, nil, ErrFinished
	}
	if err != nil {
		c.state = clientDone
	}
	return n, out, err
}

// Done says whether the handshake is over. What follows in the stream is data.
func (c *Client) Done() bool { return c.state == clientDone }

// Reply returns the proxy's answer, once Done.
func (c *Client) Reply() Reply { return c.reply }

// offer returns the one method that suits the request.
func (c *Client) offer() Method {
	if c.Request.User != "" || c.Request.Pass != "" {
		return UserPassAuth
	}
	return NoAuth
}

func (c *Client) method(buf []byte) (n int, out []byte, err error) {
	switch {
	case buf[0] != Version5:
		return 0, nil, fmt.Errorf("SOCKS5 method: %w", ErrVersion)
	case len(buf) < 2:
		return 0, nil, nil
	}
	switch method := Method(buf[1]); {
	case method != c.offer():
		err = fmt.Errorf("SOCKS5 method %#02x: %w", buf[1], ErrAuthMethod)
	case method == UserPassAuth:
		c.state = awaitAuth
		out, err = UserPass{c.Request.User, c.Request.Pass}.AppendTo(nil)
	default:
		c.state = awaitReply
		out, err = appendRequest5(nil, c.Request)
	}
	return 2, out, err
}

func (c *Client) authStatus(buf []byte) (n int, out []byte, err error) {
	switch {
	case buf[0] != authVersion:
		return 0, nil, fmt.Errorf("SOCKS5 authentication: %w", ErrVersion)
	case len(buf) < 2:
		return 0, nil, nil
	case buf[1] != 0:
		return 0, nil, fmt.Errorf("SOCKS5 authentication: %w", ErrRefused)
	}
	c.state = awaitReply
	out, err = appendRequest5(nil, c.Request)
	return 2, out, err
}

func (c *Client) readReply(buf []byte) (n int, err error) {
	c.reply, n, err = ParseReply(buf, c.Request.Version)
	if n == 0 || err != nil {
		return 0, err
	}
	c.state = clientDone
	if c.reply.Code != Succeeded {
		return n, RefusedError{c.reply.Code}
	}
	return n, nil
}

// RefusedError is a proxy's refusal of a request. It matches ErrRefused.
type RefusedError struct{ Code ReplyCode }

func (e RefusedError) Error() string { return "proxy: " + e.Code.String() }

// Unwrap returns ErrRefused.
func (RefusedError) Unwrap() error { return ErrRefused }
