package circuit

import (
	"github.com/tropea-net/tropea/internal/core/link"
	"github.com/tropea-net/tropea/internal/wire/cell"
)

// receive implements receiving.
func (b *backward) receive(run []link.Cell, rx *receiver) {
	defer rx.reset()
	destroyed, err := b.pass(run, rx)
	for i := range rx.control {
		if err == nil {
			err = b.circ.extended(rx.control[i].body)
		}
	}
	switch {
	case destroyed:
		b.circ.close(cell.DestroyNone, closedByNext)
	case err != nil:
		b.circ.closeFor(err)
	}
}

func (b *backward) panicked()        { b.circ.close(cell.DestroyInternal, closedHere) }
func (b *backward) linkClosed(error) { b.circ.close(cell.DestroyChannelClosed, closedByNext) }

// pass encrypts a run of cells, straight into a chunk for the previous link, and puts CREATED2 into rx.
func (b *backward) pass(run []link.Cell, rx *receiver) (destroyed bool, err error) {
	prev := b.circ.prev
	out := prev.table.link.Out()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.circ.closed.Load() {
		return false, nil
	}
	rx.owe(out)
	b.carriedLocked(len(run))
	chunk := out.ChunkFor(len(run))
	defer func() {
		if err2 := b.queue.Append(chunk); err == nil {
			err = err2
		}
	}()
	for i := range run {
		in := &run[i]
		switch in.Cmd {
		case cell.CmdRelay:
			if chunk.Full() {
				full := chunk
				chunk = out.ChunkFor(len(run) - i)
				if err := b.queue.Append(full); err != nil {
					return false, err
				}
			}
			b.crypt.BackwardTo(chunk.Next(prev.id, cell.CmdRelay), in.Body, uint8(cell.CmdRelay))
		case cell.CmdCreated2:
			rx.control = append(rx.control, control{cmd: in.Cmd, body: in.Body})
		case cell.CmdDestroy:
			return true, nil
		case cell.CmdCreate, cell.CmdCreate2, cell.CmdCreateFast:
			continue // "drop silently": the ID is in use
		default:
			// RELAY_EARLY never comes from there, and CREATED_FAST answers what we do not send.
			return false, violation("%v from the next relay", in.Cmd)
		}
	}
	return false, nil
}
