package geo

import "math"

// The cells of the index are those of a cube around the earth, its six faces halved in both directions again and again, and
// projected to the sphere from the centre. So cells nest exactly, their edges are great circles, and every point of a cell is a
// combination, with weights ≥ 0, of its four corners: what is linear and holds in the corners holds in the cell.

// digits is how often a face can be halved: the smallest cell is 1 cm wide.
const digits = 30

// code names the smallest cell that holds a point, or by its first digits a larger one: the face, then for each halving which
// quarter, two bits.
type code uint64

// grid is a point's place on a face as two fixed-point numbers; code interleaves their bits.
type grid struct {
	face uint8
	u, w uint32
}

func gridOf(v vec) grid {
	x, y, z := math.Abs(v.x), math.Abs(v.y), math.Abs(v.z)
	switch {
	case x >= y && x >= z:
		return grid{side(0, v.x), fixed(v.y / v.x), fixed(v.z / v.x)}
	case y >= z:
		return grid{side(2, v.y), fixed(v.x / v.y), fixed(v.z / v.y)}
	default:
		return grid{side(4, v.z), fixed(v.x / v.z), fixed(v.y / v.z)}
	}
}

func side(face uint8, axis float64) uint8 {
	if axis < 0 {
		return face + 1
	}
	return face
}

// fixed maps −1…1 to that many binary digits.
func fixed(t float64) uint32 { return min(uint32((t+1)*(1<<(digits-1))), 1<<digits-1) }

// quarter is which quarter of a cell at level the point lies in.
func (g grid) quarter(level uint8) int {
	s := digits - 1 - level
	return int(g.u>>s&1<<1 | g.w>>s&1)
}

func (g grid) code() code {
	c := code(g.face)
	for level := range uint8(digits) {
		c = c<<2 | code(g.quarter(level))
	}
	return c
}

// cell is a face, a quarter of a face, a quarter of that …
type cell struct {
	face, level uint8
	u, w        uint32 // of its low corner on the face, in units of its width
	prefix      code   // the first digits of the codes of all points in it
}

func faceCell(face int) cell { return cell{face: uint8(face), prefix: code(face)} }

func (c cell) quarter(k int) cell {
	return cell{c.face, c.level + 1, c.u<<1 | uint32(k>>1), c.w<<1 | uint32(k&1), c.prefix<<2 | code(k)}
}

// codes are the codes of the points in the cell: from ≤ code < to.
func (c cell) codes() (from, to code) {
	s := 2 * (digits - c.level)
	return c.prefix << s, (c.prefix + 1) << s
}

// holds reports whether a point lies in the cell.
func (c cell) holds(p code) bool { return p>>(2*(digits-c.level)) == c.prefix }

// point is a point of the cell on the sphere; u and w run from 0 to 1 over its width.
func (c cell) point(u, w float64) vec {
	width := math.Ldexp(2, -int(c.level))
	a, b := -1+(float64(c.u)+u)*width, -1+(float64(c.w)+w)*width
	s := 1 - 2*float64(c.face&1)
	switch c.face >> 1 {
	case 0:
		return vec{s, s * a, s * b}.unit()
	case 1:
		return vec{s * a, s, s * b}.unit()
	default:
		return vec{s * a, s * b, s}.unit()
	}
}

// outline is a cell's centre and corners on the sphere.
type outline struct {
	cell
	centre  vec
	corners [4]vec
}

func (c cell) outline() outline {
	return outline{c, c.point(0.5, 0.5), [4]vec{c.point(0, 0), c.point(0, 1), c.point(1, 0), c.point(1, 1)}}
}

// disc is a circle on the sphere that holds a cell.
type disc struct {
	centre   vec
	cos, sin float64 // of its angular radius
}

func (o *outline) disc() disc {
	d := disc{centre: o.centre, cos: 1}
	for _, corner := range o.corners {
		d.cos = min(d.cos, d.centre.dot(corner))
	}
	d.sin = math.Sqrt(1 - d.cos*d.cos)
	return d
}

// nearest is the greatest dot product of v with a point of the disc: 1 inside, else the cosine of the angle to its edge.
func (d *disc) nearest(v vec) float64 {
	cos := d.centre.dot(v)
	if cos >= d.cos {
		return 1
	}
	return cos*d.cos + math.Sqrt(max(0, 1-cos*cos))*d.sin
}
