package onion

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func connect(t *testing.T, l net.Listener) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

func TestForward(t *testing.T) {
	server, front := listener(t), listener(t)
	go func() { // answers when all has been said
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(c)
			c.Write(append([]byte("you said: "), b...))
			c.Close()
		}
	}()
	var broken atomic.Bool
	failures := make(chan error, 2)
	dial := func(ctx context.Context) (net.Conn, error) {
		if broken.Load() {
			return nil, io.ErrUnexpectedEOF
		}
		return new(net.Dialer).DialContext(ctx, "tcp", server.Addr().String())
	}
	ended := make(chan error, 1)
	go func() { ended <- Forward(t.Context(), quiet, front, dial, func(err error) { failures <- err }) }()

	c := connect(t, front)
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := c.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); string(got) != "you said: hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}

	open := connect(t, front) // it says nothing, and is there when the end comes
	broken.Store(true)
	if got, _ := io.ReadAll(connect(t, front)); len(got) > 0 {
		t.Errorf("got %q from nobody", got)
	}
	if err := <-failures; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	front.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if got, _ := io.ReadAll(open); len(got) > 0 {
		t.Errorf("got %q", got)
	}
}
