package vanity

import (
	"fmt"

	"filippo.io/edwards25519"
	"filippo.io/edwards25519/field"
)

// DefaultSpan is the Span of a Table that is fastest where it was measured: larger ones spare little of the inversion and
// fall out of the processor's cache.
const DefaultSpan = 512

// A Table has the points 8B, 16B, … span*8B, and is not changed once it is made.
type Table struct {
	points []neighbour
	stride *edwards25519.Point // from the middle of a batch to that of the next
}

// neighbour is a point in affine coordinates.
type neighbour struct{ x, y, xy field.Element }

// NewTable makes a table of span points, at least one.
func NewTable(span int) *Table {
	if span < 1 {
		panic(fmt.Sprintf("vanity: a table of %d points", span))
	}
	eight := new(edwards25519.Point).MultByCofactor(edwards25519.NewGeneratorPoint())
	t := &Table{points: make([]neighbour, span)}
	p := edwards25519.NewIdentityPoint()
	for i := range t.points {
		p.Add(p, eight)
		X, Y, Z, _ := p.ExtendedCoordinates()
		Z.Invert(Z)
		n := &t.points[i]
		n.x.Multiply(X, Z)
		n.y.Multiply(Y, Z)
		n.xy.Multiply(&n.x, &n.y)
	}
	t.stride = new(edwards25519.Point).Add(p, p)
	t.stride.Add(t.stride, eight)
	return t
}

// Batch is how many keys one step of a search tries.
func (t *Table) Batch() int { return 2*len(t.points) + 1 }
