package dos

// rate is how often something may happen.
type rate struct{ perSecond, burst uint32 }

// bucket holds the tokens of something that may happen at a rate. The zero bucket is full.
type bucket struct {
	tokens uint32
	filled tick // when tokens were added; 0 for never
}

// take takes a token, if there is one. Tokens come by whole seconds, as in C tor.
func (b *bucket) take(now tick, r rate) bool {
	if b.filled == 0 || now < b.filled { // a clock that goes back must not hurt clients
		b.tokens = r.burst
	} else {
		b.tokens = uint32(min(uint64(b.tokens)+uint64(now-b.filled)*uint64(r.perSecond), uint64(r.burst)))
	}
	b.filled = now
	if b.tokens == 0 {
		return false
	}
	b.tokens--
	return true
}
