package geo

import (
	"math"

	"scrm/gateway/kit/fault"
)

// Area is the area that a store serves: a circle or a polygon. The zero Area is not valid; see Circle and Polygon.
type Area struct {
	centre  Point
	radiusM float64

	ring      []Point // longitudes continue behind ±180° where the polygon crosses the antimeridian
	low, high Point   // the ring's extent
}

// Circle is the area within radiusM metres (haversine) of a point, border included. fault.Invalid with code "invalid_area" or
// "invalid_coordinates".
func Circle(centre Point, radiusM float64) (*Area, error) {
	if err := centre.Check(); err != nil {
		return nil, err
	}
	if !(radiusM > 0 && radiusM <= math.Pi*EarthRadiusM) {
		return nil, fault.New(fault.Invalid, "invalid_area", "a service area's radius is more than 0 m and at most half around the earth")
	}
	return &Area{centre: centre, radiusM: radiusM}, nil
}

// Polygon is the area inside a ring of at least three points, whose edges are straight in latitude and longitude (as on a map) and
// take the shorter way around; it holds no pole. A ring may be closed or not, and run either way. Of the points on the border itself
// those to the south and west lie inside, so that of two areas side by side one holds them. fault.Invalid with code
// "invalid_area" or "invalid_coordinates".
func Polygon(ring []Point) (*Area, error) {
	if n := len(ring); n > 1 && ring[0] == ring[n-1] {
		ring = ring[:n-1]
	}
	if len(ring) < 3 {
		return nil, fault.New(fault.Invalid, "invalid_area", "a service area's polygon has at least three points")
	}
	a := &Area{low: ring[0], high: ring[0]}
	for i, p := range ring {
		if err := p.Check(); err != nil {
			return nil, err
		}
		if i > 0 {
			p.Lng = beside(p.Lng, a.ring[i-1].Lng)
		}
		a.ring = append(a.ring, p)
		a.low = Point{min(a.low.Lat, p.Lat), min(a.low.Lng, p.Lng)}
		a.high = Point{max(a.high.Lat, p.Lat), max(a.high.Lng, p.Lng)}
	}
	if beside(a.ring[0].Lng, a.ring[len(a.ring)-1].Lng) != a.ring[0].Lng {
		return nil, fault.New(fault.Invalid, "invalid_area", "a service area's polygon does not go around the earth")
	}
	return a, nil
}

// beside moves a longitude by whole turns to within half a turn of another one.
func beside(lng, of float64) float64 {
	for lng-of > 180 {
		lng -= 360
	}
	for lng-of < -180 {
		lng += 360
	}
	return lng
}

// Holds reports whether a point lies in the area.
func (a *Area) Holds(p Point) bool {
	if a.ring == nil {
		return Distance(a.centre, p) <= a.radiusM
	}
	if p.Lng < a.low.Lng {
		p.Lng += 360
	} else if p.Lng > a.high.Lng {
		p.Lng -= 360
	}
	return p.Lat >= a.low.Lat && p.Lat <= a.high.Lat && p.Lng >= a.low.Lng && p.Lng <= a.high.Lng && inRing(a.ring, p)
}

// inRing reports whether a ray from p to the north crosses the ring an odd number of times.
func inRing(ring []Point, p Point) bool {
	inside := false
	a := ring[len(ring)-1]
	for _, b := range ring {
		if (a.Lng > p.Lng) != (b.Lng > p.Lng) && p.Lat < a.Lat+(p.Lng-a.Lng)/(b.Lng-a.Lng)*(b.Lat-a.Lat) {
			inside = !inside
		}
		a = b
	}
	return inside
}
