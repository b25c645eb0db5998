package bwfile

import "time"

// Cache keeps measurements from one file to the next, since a scanner may leave a relay out for a while. It decides on
// flags; the bandwidths of a vote are of the latest file alone. The zero Cache is ready.
type Cache struct {
	relays map[[20]byte]cached
}

type cached struct {
	kb uint32
	at time.Time
}

// Update takes the measurements of a file, and forgets those that are too old. Without a file, call Clear.
func (c *Cache) Update(f *File, now time.Time) {
	if c.relays == nil {
		c.relays = map[[20]byte]cached{}
	}
	for _, m := range f.Relays {
		if old, ok := c.relays[m.ID]; !ok || f.Timestamp.After(old.at) {
			c.relays[m.ID] = cached{m.KB, f.Timestamp}
		}
	}
	for id, m := range c.relays {
		if now.After(m.at.Add(MaxAge)) {
			delete(c.relays, id)
		}
	}
}

// Clear forgets all measurements.
func (c *Cache) Clear() { clear(c.relays) }

// Get returns what was last measured of a relay, in kilobytes per second.
func (c *Cache) Get(id [20]byte) (kb uint32, ok bool) {
	m, ok := c.relays[id]
	return m.kb, ok
}
