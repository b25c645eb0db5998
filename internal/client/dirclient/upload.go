package dirclient

import (
	"context"
	"time"

	"github.com/tropea-net/tropea/internal/core/circuit"
	"github.com/tropea-net/tropea/internal/wire/dirhttp"
)

// Upload sends a document to the directory at the end of t, which the caller has built for that: it should not tell who we are.
// Every status but 200 is a *StatusError.
//
// https://spec.torproject.org/rend-spec/hsdesc.html
func (c *Client) Upload(ctx context.Context, t *circuit.Tunnel, host, path string, body []byte) error {
	st, err := t.PrepareDir()
	if err != nil {
		return err
	}
	defer st.Close()
	stop := context.AfterFunc(ctx, func() { st.Close() })
	defer stop()
	head := dirhttp.Request{Method: "POST", Path: path, Host: host, Length: int64(len(body))}
	text, err := head.AppendTo(nil)
	if err != nil {
		return err
	}
	st.SetDeadline(time.Now().Add(stall))
	if _, err := st.Write(append(text, body...)); err != nil {
		return cause(ctx, err)
	}
	_, err = receive(st, c.Now, maxReplyBody, func(Stage) {})
	if err != nil {
		return cause(ctx, err)
	}
	return nil
}
