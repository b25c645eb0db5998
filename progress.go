package tropea

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/tropea-net/tropea/internal/client/bootstrap"
	"github.com/tropea-net/tropea/internal/lib/event"
)

// Status is how far the start has come, in the numbers and words of C tor.
type Status struct {
	Percent int    // 100 when circuits work
	Tag     string // such as "loading_status"
	Summary string // for people
}

func (s Status) String() string { return fmt.Sprintf("%d%% (%s): %s", s.Percent, s.Tag, s.Summary) }

var (
	starting = Status{0, "starting", "Starting"}
	done     = Status{100, "done", "Done"}
)

// Problem is something that went wrong during the start. It may go away by itself.
type Problem struct {
	Reason string // one word, such as "CONNECTREFUSED"
	Advice string // a sentence for people
	Err    error
}

// Status returns how far the start has come.
func (c *Client) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Progress yields Status and *Problem values as they come, the current Status first. It ends with ctx or the client, or
// when 100 percent is reached.
func (c *Client) Progress(ctx context.Context) iter.Seq[any] {
	return func(yield func(any) bool) {
		sub := c.inner.Events().Subscribe(256)
		defer func() { sub.Close() }()
		s := c.Status()
		for yield(s) && s.Percent < 100 {
			e, err := sub.Next(ctx)
			for err == nil {
				if p, ok := e.(bootstrap.Problem); ok {
					if !yield(&Problem{Reason: p.Reason, Advice: p.Advice, Err: p.Err}) {
						return
					}
				}
				if st, ok := e.(bootstrap.Status); ok {
					s = Status{st.Percent, st.Tag, st.Summary}
					break
				}
				e, err = sub.Next(ctx)
			}
			var lost *event.OverrunError
			switch {
			case errors.As(err, &lost):
				sub = c.inner.Events().Subscribe(256)
				s = c.Status()
			case err != nil:
				return
			}
		}
	}
}
