package x25519

import "filippo.io/edwards25519/field"

// ladder sets out to the u coordinate of scalar times the point whose u coordinate is given: the Montgomery ladder in
// projective coordinates, where (x:z) stands for u = x/z. Both branches of a step are one sequence of operations on
// points that are swapped by arithmetic, so neither time nor memory access depends on the scalar.
//
// https://www.rfc-editor.org/rfc/rfc7748#section-5
func ladder(out, scalar, u *[32]byte) {
	k := *scalar // clamped: a multiple of 8 with bit 254 set
	k[0] &= 248
	k[31] = k[31]&127 | 64

	var x1, x2, z2, x3, z3 field.Element // (x2:z2) is a multiple of the point, (x3:z3) is the next one
	if _, err := x1.SetBytes(u[:]); err != nil {
		panic("x25519: " + err.Error()) // only a wrong length is an error
	}
	x2.One()
	x3.Set(&x1)
	z3.One()

	swapped := 0
	for i := 254; i >= 0; i-- {
		bit := int(k[i/8]>>(i%8)) & 1
		x2.Swap(&x3, swapped^bit)
		z2.Swap(&z3, swapped^bit)
		swapped = bit
		step(&x1, &x2, &z2, &x3, &z3)
	}
	x2.Swap(&x3, swapped)
	z2.Swap(&z3, swapped)

	z2.Invert(&z2)
	copy(out[:], x2.Multiply(&x2, &z2).Bytes())
	clear(k[:])
}

// step doubles (x2:z2) and adds it to (x3:z3), of which it differs by x1. The names are those of the RFC.
func step(x1, x2, z2, x3, z3 *field.Element) {
	var a, b, c, d, e field.Element
	a.Add(x2, z2)
	b.Subtract(x2, z2)
	c.Add(x3, z3)
	d.Subtract(x3, z3)
	d.Multiply(&d, &a)
	c.Multiply(&c, &b)
	a.Square(&a)
	b.Square(&b)
	e.Subtract(&a, &b)

	x3.Add(&d, &c)
	x3.Square(x3)
	z3.Subtract(&d, &c)
	z3.Square(z3)
	z3.Multiply(z3, x1)
	x2.Multiply(&a, &b)
	z2.Mult32(&e, 121666) // (A+2)/4: with it the formula wants BB where the RFC, with a24 = 121665, has AA
	z2.Add(z2, &b)
	z2.Multiply(z2, &e)
}
