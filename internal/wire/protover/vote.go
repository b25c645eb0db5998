package protover

// Vote returns the versions that at least threshold of the sets have, threshold being at least 1.
func Vote(sets []Set, threshold int) Set {
	counts := map[string]*[MaxVersion + 1]int{}
	for i := range sets {
		for _, e := range sets[i].entries() {
			c := counts[e.name]
			if c == nil {
				c = new([MaxVersion + 1]int)
				counts[e.name] = c
			}
			for v := range c {
				c[v] += int(e.versions >> v & 1)
			}
		}
	}
	var out Set
	var rest []entry
	for name, c := range counts {
		var versions Mask
		for v, n := range c {
			if n >= threshold {
				versions |= 1 << v
			}
		}
		if p, ok := known([]byte(name)); ok {
			out.known[p] = versions
		} else {
			rest = append(rest, entry{name, versions})
		}
	}
	out.other = joinEntries(normalize(rest))
	return out
}
