package onion

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/tropea-net/tropea/internal/lib/safego"
)

// maxForwards bounds the connections that are forwarded at a time; more wait.
const maxForwards = 1024

// dialTime is how long the local server may take to accept a connection.
const dialTime = 30 * time.Second

// Forward leads the connections that l accepts to a local server, until l is closed; then it ends them, and returns when they have ended. Why
// a connection could not be led on is told to failed, which is called from many goroutines.
func Forward(ctx context.Context, log *slog.Logger, l net.Listener, dial func(context.Context) (net.Conn, error), failed func(error)) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	slots := make(chan struct{}, maxForwards)
	for {
		slots <- struct{}{}
		c, err := l.Accept()
		if err != nil {
			return err
		}
		safego.Go(&wg, log, "onion forward", func() {
			defer func() { <-slots }()
			defer c.Close()
			dialCtx, stop := context.WithTimeout(ctx, dialTime)
			local, err := dial(dialCtx)
			stop()
			if err != nil {
				failed(err)
				return
			}
			defer local.Close()
			join(ctx, log, c, local)
		})
	}
}

// join carries bytes both ways until both have ended or ctx has.
func join(ctx context.Context, log *slog.Logger, a, b net.Conn) {
	end := func() { a.Close(); b.Close() }
	defer context.AfterFunc(ctx, end)()
	var wg sync.WaitGroup
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		safego.Go(&wg, log, "onion forward", func() {
			_, err := io.Copy(way[0], way[1])
			half, ok := way[0].(interface{ CloseWrite() error })
			if err != nil || !ok || half.CloseWrite() != nil {
				end()
			}
		})
	}
	wg.Wait()
}
