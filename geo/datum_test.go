package geo_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"scrm/gateway/kit/fault"
	"scrm/geo"
)

// Golden vectors: the same points in the three datums as npm gcoord 1.0.7 converts them from WGS-84.
var places = []struct {
	name           string
	wgs, gcj, bd09 geo.Point
}{
	{"Beijing", geo.Point{Lat: 39.90923, Lng: 116.397428}, geo.Point{Lat: 39.91063350638631, Lng: 116.40367162595768}, geo.Point{Lat: 39.916972856075134, Lng: 116.41004410170474}},
	{"Shanghai", geo.Point{Lat: 31.230416, Lng: 121.473701}, geo.Point{Lat: 31.22847374224698, Lng: 121.47822405739267}, geo.Point{Lat: 31.23432658138832, Lng: 121.48478247238995}},
	{"Ürümqi", geo.Point{Lat: 43.825592, Lng: 87.616848}, geo.Point{Lat: 43.826797436147594, Lng: 87.61969799823531}, geo.Point{Lat: 43.83294127029601, Lng: 87.62614810195592}},
	{"Sanya", geo.Point{Lat: 18.252847, Lng: 109.511909}, geo.Point{Lat: 18.251141748703045, Lng: 109.51599327140339}, geo.Point{Lat: 18.25692363216166, Lng: 109.52254078980954}},
	{"Mohe", geo.Point{Lat: 53.48, Lng: 122.536}, geo.Point{Lat: 53.481800138790945, Lng: 122.5431505797856}, geo.Point{Lat: 53.48792190142701, Lng: 122.5495775973465}},
	{"Hong Kong", geo.Point{Lat: 22.3193, Lng: 114.1694}, geo.Point{Lat: 22.316550799399344, Lng: 114.17436706626148}, geo.Point{Lat: 22.322222377349046, Lng: 114.18092759885914}},
	{"Lhasa", geo.Point{Lat: 29.646923, Lng: 91.117212}, geo.Point{Lat: 29.644215102577068, Lng: 91.11877233159247}, geo.Point{Lat: 29.650095268089327, Lng: 91.12531592215231}},
}

func TestConvertGolden(t *testing.T) {
	t.Parallel()
	// gcoord works its forward formulas out to the last digits but inverts them to 1e-6 degrees only.
	const forward, back = 1e-11, 1e-9
	for _, p := range places {
		for _, c := range []struct {
			from, to string
			in, want geo.Point
			within   float64
		}{
			{geo.WGS84, geo.GCJ02, p.wgs, p.gcj, forward}, {geo.WGS84, geo.BD09, p.wgs, p.bd09, forward}, {geo.GCJ02, geo.BD09, p.gcj, p.bd09, back},
			{geo.GCJ02, geo.WGS84, p.gcj, p.wgs, back}, {geo.BD09, geo.WGS84, p.bd09, p.wgs, 2 * back}, {geo.BD09, geo.GCJ02, p.bd09, p.gcj, back},
			{"", geo.WGS84, p.wgs, p.wgs, 0},
		} {
			got, err := geo.Convert(c.in, c.from, c.to)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got.Lat-c.want.Lat) > c.within || math.Abs(got.Lng-c.want.Lng) > c.within {
				t.Errorf("%s %s→%s: %v, want %v", p.name, c.from, c.to, got, c.want)
			}
		}
	}
}

func TestOutsideChinaUnshifted(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]geo.Point{
		"New York": {Lat: 40.7128, Lng: -74.006}, "London": {Lat: 51.5074, Lng: -0.1278}, "Tokyo": {Lat: 35.6895, Lng: 139.6917},
		"Seoul": {Lat: 37.5665, Lng: 126.978}, "Singapore": {Lat: 1.3521, Lng: 103.8198}, "Hanoi": {Lat: 21.0278, Lng: 105.8342},
		"Delhi": {Lat: 28.6139, Lng: 77.209}, "Ulaanbaatar": {Lat: 47.8864, Lng: 106.9057}, "Vladivostok": {Lat: 43.1155, Lng: 131.8855},
		"North Pole": {Lat: 90}, "South Pole": {Lat: -90}, "antimeridian": {Lat: 30, Lng: 180},
	} {
		for _, datum := range []string{geo.WGS84, geo.GCJ02, geo.BD09} {
			if got, err := geo.ToWGS84(p.Lat, p.Lng, datum); err != nil || got != p {
				t.Errorf("%s in %s: %v, %v", name, datum, got, err)
			}
		}
	}
}

// Anywhere well inside China there and back is the same point to a tenth of a millimetre, and the shift is 50 to 1,500 m.
func TestConvertRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := geo.Point{Lat: rapid.Float64Range(24, 40).Draw(t, "lat"), Lng: rapid.Float64Range(100, 116).Draw(t, "lng")}
		for _, datum := range []string{geo.GCJ02, geo.BD09} {
			shifted, err := geo.Convert(p, geo.WGS84, datum)
			if err != nil {
				t.Fatal(err)
			}
			back, err := geo.ToWGS84(shifted.Lat, shifted.Lng, datum)
			if err != nil {
				t.Fatal(err)
			}
			if d := geo.Distance(p, back); d > 2e-4 {
				t.Errorf("%s: %g m off", datum, d)
			}
			if d := geo.Distance(p, shifted); d < 50 || d > 1500 {
				t.Errorf("%s: shifted by %g m", datum, d)
			}
		}
	})
}

func TestConvertRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		p     geo.Point
		datum string
		code  string
	}{
		"unknown datum": {geo.Point{}, "nad83", "unknown_datum"},
		"latitude":      {geo.Point{Lat: 90.1}, geo.WGS84, "invalid_coordinates"},
		"longitude":     {geo.Point{Lng: -181}, geo.BD09, "invalid_coordinates"},
		"not a number":  {geo.Point{Lat: math.NaN()}, geo.GCJ02, "invalid_coordinates"},
	} {
		if _, err := geo.ToWGS84(c.p.Lat, c.p.Lng, c.datum); fault.CodeOf(err) != c.code || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func ExampleToWGS84() {
	// What a WeChat mini program gives for the Oriental Pearl Tower.
	p, err := geo.ToWGS84(31.239703, 121.499718, geo.GCJ02)
	fmt.Printf("%.6f %.6f %v\n", p.Lat, p.Lng, err)
	// Output: 31.241702 121.495269 <nil>
}
