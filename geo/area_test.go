package geo_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"scrm/gateway/kit/fault"
	"scrm/geo"
)

func polygon(t interface{ Fatal(...any) }, ring ...geo.Point) *geo.Area {
	a, err := geo.Polygon(ring)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestPolygon(t *testing.T) {
	t.Parallel()
	box := func(south, north, west, east float64) []geo.Point {
		return []geo.Point{{Lat: south, Lng: west}, {Lat: south, Lng: east}, {Lat: north, Lng: east}, {Lat: north, Lng: west}}
	}
	for name, c := range map[string]struct {
		ring     []geo.Point
		in, outs []geo.Point
	}{
		"a box":  {box(31, 32, 121, 122), []geo.Point{{Lat: 31.5, Lng: 121.5}, {Lat: 31, Lng: 121}}, []geo.Point{{Lat: 31.5, Lng: 122.01}, {Lat: 32.01, Lng: 121.5}, {Lat: -31.5, Lng: 121.5}, {Lat: 31.5, Lng: -58.5}}},
		"closed": {append(box(31, 32, 121, 122), geo.Point{Lat: 31, Lng: 121}), []geo.Point{{Lat: 31.5, Lng: 121.5}}, []geo.Point{{Lat: 30, Lng: 121.5}}},
		"over the antimeridian": {
			box(-20, -10, 170, -170),
			[]geo.Point{{Lat: -15, Lng: 175}, {Lat: -15, Lng: -175}, {Lat: -15, Lng: 180}, {Lat: -15, Lng: -180}},
			[]geo.Point{{Lat: -15, Lng: 165}, {Lat: -15, Lng: -165}, {Lat: -15, Lng: 0}},
		},
		"over it the other way": {
			box(-20, -10, -170, 170), []geo.Point{{Lat: -15, Lng: 175}, {Lat: -15, Lng: -175}}, []geo.Point{{Lat: -15, Lng: 0}, {Lat: -15, Lng: 165}},
		},
		"a bay": {
			[]geo.Point{{Lat: 0, Lng: 0}, {Lat: 0, Lng: 10}, {Lat: 10, Lng: 10}, {Lat: 1, Lng: 5}, {Lat: 10, Lng: 0}},
			[]geo.Point{{Lat: 0.5, Lng: 5}, {Lat: 5, Lng: 1}, {Lat: 5, Lng: 9}}, []geo.Point{{Lat: 2, Lng: 5}, {Lat: 9, Lng: 5}},
		},
	} {
		a := polygon(t, c.ring...)
		for _, p := range c.in {
			if !a.Holds(p) {
				t.Errorf("%s does not hold %v", name, p)
			}
		}
		for _, p := range c.outs {
			if a.Holds(p) {
				t.Errorf("%s holds %v", name, p)
			}
		}
	}
}

// Two areas that share a border hold every point of their union once.
func TestPolygonsSideBySide(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		degree := rapid.Custom(func(t *rapid.T) float64 { return float64(rapid.IntRange(-30, 30).Draw(t, "tenths")) / 10 })
		split := geo.Point{Lat: degree.Draw(t, "lat"), Lng: degree.Draw(t, "lng")}
		south := polygon(t, geo.Point{Lat: -4, Lng: -4}, geo.Point{Lat: -4, Lng: 4}, geo.Point{Lat: 0, Lng: 4}, split, geo.Point{Lat: 0, Lng: -4})
		north := polygon(t, geo.Point{Lat: 4, Lng: -4}, geo.Point{Lat: 0, Lng: -4}, split, geo.Point{Lat: 0, Lng: 4}, geo.Point{Lat: 4, Lng: 4})
		p := geo.Point{Lat: degree.Draw(t, "lat"), Lng: degree.Draw(t, "lng")}
		if south.Holds(p) == north.Holds(p) {
			t.Errorf("both or neither hold %v", p)
		}
	})
}

func TestCircle(t *testing.T) {
	t.Parallel()
	for _, centre := range []geo.Point{{Lat: 31, Lng: 121}, {Lat: 90}, {Lat: 10, Lng: 180}} {
		a, err := geo.Circle(centre, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []geo.Point{centre, {Lat: centre.Lat - 0.0089, Lng: centre.Lng}} {
			if !a.Holds(p) {
				t.Errorf("%v does not hold %v", centre, p)
			}
		}
		if a.Holds(geo.Point{Lat: centre.Lat - 0.0091, Lng: centre.Lng}) {
			t.Errorf("%v holds what is 1,012 m away", centre)
		}
	}
}

func TestAreaRefuses(t *testing.T) {
	t.Parallel()
	circle := func(p geo.Point, r float64) error { _, err := geo.Circle(p, r); return err }
	ring := func(ring ...geo.Point) error { _, err := geo.Polygon(ring); return err }
	for name, c := range map[string]struct {
		err  error
		code string
	}{
		"no radius":        {circle(geo.Point{}, 0), "invalid_area"},
		"radius NaN":       {circle(geo.Point{}, math.NaN()), "invalid_area"},
		"centre":           {circle(geo.Point{Lat: 91}, 5), "invalid_coordinates"},
		"no corners":       {ring(), "invalid_area"},
		"two corners":      {ring(geo.Point{}, geo.Point{Lat: 1}, geo.Point{}), "invalid_area"},
		"a corner":         {ring(geo.Point{}, geo.Point{Lat: 1}, geo.Point{Lng: 181}), "invalid_coordinates"},
		"around the earth": {ring(geo.Point{}, geo.Point{Lng: 120}, geo.Point{Lng: -120}), "invalid_area"},
	} {
		if fault.CodeOf(c.err) != c.code || !fault.Is(c.err, fault.Invalid) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
}
