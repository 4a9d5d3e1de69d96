package geo

import (
	"math"

	"scrm/gateway/kit/fault"
)

// The datums in which coordinates may come in. Everything inside is WGS-84.
const (
	WGS84 = "wgs84" // GPS
	GCJ02 = "gcj02" // what maps sold in mainland China use (AMap, Tencent, WeChat)
	BD09  = "bd09"  // Baidu's: GCJ-02, shifted once more
)

// Point is a place in degrees: latitude −90…90, longitude −180…180.
type Point struct{ Lat, Lng float64 }

// Check validates a point: fault.Invalid with code "invalid_coordinates" where a coordinate is out of range or not a number.
func (p Point) Check() error {
	if !(p.Lat >= -90 && p.Lat <= 90 && p.Lng >= -180 && p.Lng <= 180) { // also refuses NaN
		return fault.New(fault.Invalid, "invalid_coordinates", "lat is −90 to 90 degrees and lng −180 to 180")
	}
	return nil
}

// ToWGS84 converts a point from a datum ("" means WGS-84). It inverts the published forward formulas to 1e-9 degrees (0.1 mm);
// the common closed forms, also gcoord's, err by up to 2e-6 degrees (0.2 m). What remains unknown is the formulas' own error
// against the secret original, some metres at most. A point outside China is not shifted; within about
// 50 km of the land border, where the outline is coarse, a foreign point is.
// fault.Invalid with code "unknown_datum" or "invalid_coordinates".
func ToWGS84(lat, lng float64, datum string) (Point, error) {
	return Convert(Point{lat, lng}, datum, WGS84)
}

// Convert converts a point from one datum to another, with ToWGS84's errors.
func Convert(p Point, from, to string) (Point, error) {
	if err := p.Check(); err != nil {
		return Point{}, err
	}
	undo, ok := toWGS84[from]
	if !ok {
		return Point{}, errDatum
	}
	apply, ok := fromWGS84[to]
	if !ok {
		return Point{}, errDatum
	}
	if from == to || !inChina(p) {
		return p, nil
	}
	return apply(undo(p)), nil
}

var errDatum = fault.New(fault.Invalid, "unknown_datum", "the datum is one of wgs84, gcj02, bd09").At("datum")

var fromWGS84 = map[string]func(Point) Point{
	"":    same,
	WGS84: same,
	GCJ02: gcjFromWGS,
	BD09:  func(p Point) Point { return bdFromGCJ(gcjFromWGS(p)) },
}

var toWGS84 = map[string]func(Point) Point{
	"":    same,
	WGS84: same,
	GCJ02: func(p Point) Point { return invert(gcjFromWGS, p) },
	BD09:  func(p Point) Point { return invert(gcjFromWGS, invert(bdFromGCJ, p)) },
}

func same(p Point) Point { return p }

// invert finds the point that shift moves to target. Both shifts change by less than a hundredth of the step over a step, so
// each round wins two digits.
func invert(shift func(Point) Point, target Point) Point {
	const precise = 1e-9
	p := target
	for range 10 {
		q := shift(p)
		dLat, dLng := q.Lat-target.Lat, q.Lng-target.Lng
		p.Lat -= dLat
		p.Lng -= dLng
		if math.Abs(dLat) < precise && math.Abs(dLng) < precise {
			break
		}
	}
	return p
}

// Krasovsky 1940, the ellipsoid of GCJ-02's formula.
const (
	krasovskyA  = 6378245.0
	krasovskyE2 = 0.00669342162296594323
)

// gcjFromWGS is the published form of the GCJ-02 shift: two polynomials with sines over the offset from 35° N 105° E, in
// metres, turned into degrees on the Krasovsky ellipsoid.
func gcjFromWGS(p Point) Point {
	x, y := p.Lng-105, p.Lat-35
	common := (20*math.Sin(6*x*math.Pi) + 20*math.Sin(2*x*math.Pi)) * 2 / 3
	root := math.Sqrt(math.Abs(x))

	north := -100 + 2*x + 3*y + 0.2*y*y + 0.1*x*y + 0.2*root + common
	north += (20*math.Sin(y*math.Pi) + 40*math.Sin(y/3*math.Pi)) * 2 / 3
	north += (160*math.Sin(y/12*math.Pi) + 320*math.Sin(y*math.Pi/30)) * 2 / 3

	east := 300 + x + 2*y + 0.1*x*x + 0.1*x*y + 0.1*root + common
	east += (20*math.Sin(x*math.Pi) + 40*math.Sin(x/3*math.Pi)) * 2 / 3
	east += (150*math.Sin(x/12*math.Pi) + 300*math.Sin(x/30*math.Pi)) * 2 / 3

	phi := p.Lat / 180 * math.Pi
	sin := math.Sin(phi)
	w := 1 - krasovskyE2*sin*sin
	meridian := krasovskyA * (1 - krasovskyE2) / (w * math.Sqrt(w))
	parallel := krasovskyA / math.Sqrt(w) * math.Cos(phi)
	return Point{p.Lat + north*180/(meridian*math.Pi), p.Lng + east*180/(parallel*math.Pi)}
}

// bdFromGCJ is Baidu's published shift of GCJ-02: a small turn and stretch, and a constant offset.
func bdFromGCJ(p Point) Point {
	const factor = math.Pi * 3000 / 180
	r := math.Hypot(p.Lng, p.Lat) + 0.00002*math.Sin(p.Lat*factor)
	theta := math.Atan2(p.Lat, p.Lng) + 0.000003*math.Cos(p.Lng*factor)
	return Point{r*math.Sin(theta) + 0.006, r*math.Cos(theta) + 0.0065}
}
