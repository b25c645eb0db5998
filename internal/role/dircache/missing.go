package dircache

import "github.com/tropea-net/tropea/internal/wire/consensus"

// HasDescriptor reports whether the cache has the router descriptor with a digest.
func (c *Cache) HasDescriptor(digest [20]byte) bool { return c.Descriptor(digest) != nil }

// Descriptor returns the text of a router descriptor, nil if it is not there. It must not be changed.
func (c *Cache) Descriptor(digest [20]byte) []byte {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if r := c.routers.byDigest[digest]; r != nil {
		return r.Text
	}
	return nil
}

// HasExtraInfo reports whether the cache has the extra-info document with a digest.
func (c *Cache) HasExtraInfo(digest [20]byte) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.extras[digest] != nil
}

// MissingDescriptors returns the digests of the router descriptors that the newest consensus lists and the cache lacks.
func (c *Cache) MissingDescriptors() (list [][20]byte) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for digest := range c.flavors[consensus.NS].listed {
		if c.routers.byDigest[digest] == nil {
			list = append(list, digest)
		}
	}
	return list
}

// MissingExtraInfo returns the digests of the extra-info documents that the cache lacks, and for each that of the router
// descriptor which refers to it: the newest of its relay, or one that the newest consensus lists.
func (c *Cache) MissingExtraInfo() map[[20]byte][20]byte {
	c.mu.RLock()
	defer c.mu.RUnlock()
	missing := map[[20]byte][20]byte{}
	for _, list := range c.routers.byFP {
		for i, r := range list {
			_, listed := c.flavors[consensus.NS].listed[r.Digest]
			if (listed || i == len(list)-1) && r.extraInfo != [20]byte{} && c.extras[r.extraInfo] == nil {
				missing[r.extraInfo] = r.Digest
			}
		}
	}
	return missing
}

// Lists tells whether the newest consensus lists a router descriptor.
func (c *Cache) Lists(digest [20]byte) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, ok := c.flavors[consensus.NS].listed[digest]
	return ok
}
