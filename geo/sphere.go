package geo

import "math"

// EarthRadiusM is the mean radius of the earth (IUGG) in metres.
const EarthRadiusM = 6_371_008.8

// Distance is the haversine distance between two points in metres: 2R·asin √(sin²(Δφ/2) + cos φ₁ cos φ₂ sin²(Δλ/2)).
func Distance(a, b Point) float64 {
	s, t := spotOf(a), spotOf(b)
	return haversine(&s, &t)
}

// spot is a point as distances want it: in radians, with what would otherwise be computed again for each distance.
type spot struct {
	lat, lng float64
	cos      float64 // of the latitude
	at       vec
}

func spotOf(p Point) spot {
	lat, lng := p.Lat*(math.Pi/180), p.Lng*(math.Pi/180)
	sinLat, cosLat := math.Sincos(lat)
	sinLng, cosLng := math.Sincos(lng)
	return spot{lat: lat, lng: lng, cos: cosLat, at: vec{cosLat * cosLng, cosLat * sinLng, sinLat}}
}

// spot is the vector's point.
func (a vec) spot() spot {
	return spot{lat: math.Asin(a.z), lng: math.Atan2(a.y, a.x), cos: math.Hypot(a.x, a.y), at: a}
}

func haversine(a, b *spot) float64 {
	s, t := math.Sin((b.lat-a.lat)/2), math.Sin((b.lng-a.lng)/2)
	return 2 * EarthRadiusM * math.Asin(math.Min(1, math.Sqrt(s*s+a.cos*b.cos*t*t)))
}

// vec is a point as a unit vector from the earth's centre. Of two points the one with the smaller chord is nearer, and for
// chords multiplications do: no trigonometry until the answer is known.
type vec struct{ x, y, z float64 }

func (a vec) dot(b vec) float64 { return a.x*b.x + a.y*b.y + a.z*b.z }

// chord2 is the square of the straight line between two points of the unit sphere: 4 sin²(angle/2).
func (a vec) chord2(b vec) float64 {
	x, y, z := a.x-b.x, a.y-b.y, a.z-b.z
	return x*x + y*y + z*z
}

func (a vec) unit() vec {
	s := 1 / math.Sqrt(a.dot(a))
	return vec{a.x * s, a.y * s, a.z * s}
}

// tied is the greatest squared chord that may turn out, by the haversine formula as computed, as near as the squared chord c2.
// Both formulas round at some 1e-16 rad and 1e-16 of the value; the band is wider a hundredfold (60 nm next to the point). What
// lies within it is compared by haversine, then by id.
func tied(c2 float64) float64 { return c2*(1+1e-13) + 1e-14*math.Sqrt(c2) + 1e-28 }
