package circuit_test

import (
	"testing"
	"testing/synctest"

	"github.com/tropea-net/tropea/internal/kit/fakepeer"
	"github.com/tropea-net/tropea/internal/wire/cell"
	"github.com/tropea-net/tropea/internal/wire/relaymsg"
)

// FuzzCircuit lets the relays of a circuit send any messages, from any hop. Whatever they are, nothing panics, the link
// lives, and what the client says is what the relay's rules allow.
func FuzzCircuit(f *testing.F) {
	const data, end, connected, sendme, extended2, truncated = 2, 3, 4, 5, 15, 9
	f.Add([]byte{0, data, 0, 9, 0, data, 0, 9, 0, end, 0, 1})
	f.Add([]byte{1, sendme, 9, 23, 1, extended2, 9, 66})
	f.Add([]byte{0, truncated, 9, 1})
	f.Add([]byte{1, connected, 1, 0, 1, data, 1, 255, 7, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, fakepeer.Config{Stream: func(string) fakepeer.Handler { return fakepeer.Never }})
			c := w.build(2)
			ids := []uint16{w.begin(c).ID(), w.begin(c).ID(), 0, 1}
			synctest.Wait()
			p := w.peer()
			p.Conn().Hold()
			for ; len(in) >= 4; in = in[4:] {
				m := relaymsg.Msg{Cmd: relaymsg.Command(in[1]), Stream: ids[int(in[2])%len(ids)]}
				m.Body = make([]byte, int(in[3])*2)
				for i := range m.Body {
					m.Body[i] = in[i%len(in)]
				}
				switch in[0] {
				case 5:
					p.Conn().Send(cell.Cell{Circ: p.ID(), Cmd: cell.CmdRelay, Body: m.Body[:min(len(m.Body), cell.BodyLen)]})
				case 6:
					p.SendAs(1, m, cell.CmdRelayEarly)
				case 7:
					p.Conn().Send(cell.Cell{Circ: p.ID(), Cmd: cell.CmdCreated2})
				default:
					p.Send(int(in[0])%2, m)
				}
			}
			p.Conn().Release()
			synctest.Wait()
			if err := c.Link().Err(); err != nil {
				t.Errorf("link ended with %v", err)
			}
			w.build(1)
		})
	})
}
