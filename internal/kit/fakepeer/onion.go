package fakepeer

import (
	"github.com/tropea-net/tropea/internal/crypt/kdf"
	"github.com/tropea-net/tropea/internal/crypt/relaycrypt"
)

// AddService adds the hop of an onion service to the circuit of a client: the relay plays the service, too. A real one does so
// when it sends RENDEZVOUS1.
func (c *Circuit) AddService(keys *kdf.Keys) { c.addVirtual(keys, false) }

// AddClient adds the hop of a client to the circuit of an onion service.
func (c *Circuit) AddClient(keys *kdf.Keys) { c.addVirtual(keys, true) }

func (c *Circuit) addVirtual(keys *kdf.Keys, reversed bool) {
	k := must(relaycrypt.ParseHS(keys.Expand(relaycrypt.HSKeyLen)))
	if reversed {
		k = k.Reversed()
	}
	r := c.conn.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	c.hops = append(c.hops, &hop{
		crypt: relaycrypt.NewRelay(k), streams: map[uint16]*Stream{}, over: map[uint16]bool{},
		room: r.cfg.Window, window: circWindow,
	})
	r.changed.Broadcast()
}
