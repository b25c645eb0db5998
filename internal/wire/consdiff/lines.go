package consdiff

import "bytes"

// maxCells bounds the work to find the least change of a section: lines of the base times lines of the target. Entries
// have ten lines, the header of the public network a hundred; a larger section is replaced.
const maxCells = 1 << 16

// A comparer gathers hunks in order.
type comparer struct {
	hunks []hunk
	cells []uint16 // scratch
}

// add appends a hunk, or lengthens the last one if they touch.
func (c *comparer) add(h hunk) {
	if h.del == h.delEnd && h.add == h.addEnd {
		return
	}
	if n := len(c.hunks); n > 0 && c.hunks[n-1].delEnd == h.del && c.hunks[n-1].addEnd == h.add {
		c.hunks[n-1].delEnd, c.hunks[n-1].addEnd = h.delEnd, h.addEnd
		return
	}
	c.hunks = append(c.hunks, h)
}

// lines compares two sections and adds their differences.
func (c *comparer) lines(from, to *document, h hunk) {
	for h.del < h.delEnd && h.add < h.addEnd && bytes.Equal(from.line(h.del), to.line(h.add)) {
		h.del, h.add = h.del+1, h.add+1
	}
	for h.del < h.delEnd && h.add < h.addEnd && bytes.Equal(from.line(h.delEnd-1), to.line(h.addEnd-1)) {
		h.delEnd, h.addEnd = h.delEnd-1, h.addEnd-1
	}
	n, m := h.delEnd-h.del, h.addEnd-h.add
	if n == 0 || m == 0 || n*m > maxCells {
		c.add(h)
		return
	}
	// cells[i*(m+1)+j] is the length of the longest common subsequence of the lines from i and from j on.
	size := (n + 1) * (m + 1)
	if len(c.cells) < size {
		c.cells = make([]uint16, size)
	}
	cells := c.cells[:size]
	clear(cells)
	same := func(i, j int) bool { return bytes.Equal(from.line(h.del+i), to.line(h.add+j)) }
	for i := n - 1; i >= 0; i-- {
		for j := m - 1; j >= 0; j-- {
			if same(i, j) {
				cells[i*(m+1)+j] = cells[(i+1)*(m+1)+j+1] + 1
			} else {
				cells[i*(m+1)+j] = max(cells[(i+1)*(m+1)+j], cells[i*(m+1)+j+1])
			}
		}
	}
	for i, j := 0, 0; i < n || j < m; {
		switch {
		case i < n && j < m && same(i, j):
			i, j = i+1, j+1
		case j == m || i < n && cells[(i+1)*(m+1)+j] >= cells[i*(m+1)+j+1]:
			c.add(hunk{h.del + i, h.del + i + 1, h.add + j, h.add + j})
			i++
		default:
			c.add(hunk{h.del + i, h.del + i, h.add + j, h.add + j + 1})
			j++
		}
	}
}
