package dircache

import (
	"bytes"
	"crypto/sha256"
	"time"

	"github.com/tropea-net/tropea/internal/wire/consensus"
	"github.com/tropea-net/tropea/internal/wire/microdesc"
)

// A micro is a microdescriptor.
type micro struct {
	text       []byte
	lastListed time.Time // when the last consensus that listed it became valid
}

// maxUnlisted is how long a microdescriptor is kept that no consensus lists.
const maxUnlisted = 7 * 24 * time.Hour

// AddMicrodescs adds microdescriptors; their texts are copied. One without a time is taken to be listed by the newest
// consensus.
func (c *Cache) AddMicrodescs(list []microdesc.Entry) {
	type named struct {
		digest [32]byte
		micro
	}
	fresh := make([]named, len(list))
	for i, e := range list {
		fresh[i] = named{sha256.Sum256(e.Text), micro{bytes.Clone(e.Text), e.LastListed}}
	}
	now := c.cfg.Env.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if newest := c.flavors[consensus.Microdesc].newest; newest != nil {
		now = newest.validAfter
	}
	for i := range fresh {
		m := &fresh[i].micro
		if m.lastListed.IsZero() {
			m.lastListed = now
		}
		if have := c.micros[fresh[i].digest]; have != nil {
			have.noteListed(m.lastListed)
			continue
		}
		c.micros[fresh[i].digest] = &micro{m.text, m.lastListed}
	}
}

func (m *micro) noteListed(at time.Time) {
	if at.After(m.lastListed) {
		m.lastListed = at
	}
}

func (c *Cache) microdescsFor(digests [][32]byte) (texts [][]byte) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, d := range digests {
		if m := c.micros[d]; m != nil {
			texts = append(texts, m.text)
		}
	}
	return texts
}
