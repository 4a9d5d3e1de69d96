package geo_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"

	h3 "github.com/uber/h3-go/v4"
	"pgregory.net/rapid"

	"scrm/geo"
)

// chain makes stores as chains have them: four fifths in cities, the rest anywhere in between.
func chain(n int, r *rand.Rand) []geo.Store {
	var cities [300]geo.Point
	for i := range cities {
		cities[i] = geo.Point{Lat: 20 + r.Float64()*25, Lng: 85 + r.Float64()*38}
	}
	stores := make([]geo.Store, n)
	for i := range stores {
		p := geo.Point{Lat: 20 + r.Float64()*25, Lng: 80 + r.Float64()*45}
		if i%5 != 0 {
			p = around(cities[r.IntN(len(cities))], 0.15, r)
		}
		stores[i] = store(i, p)
	}
	return stores
}

func store(i int, at geo.Point) geo.Store {
	s := geo.Store{ID: fmt.Sprintf("s%06d", i), Point: at, Brands: []string{"aurora"}, Open: i%17 != 0, Ownership: [...]string{"direct", "franchise", "dealer"}[i%3], Rev: 1}
	if i%4 == 0 {
		s.Brands = []string{"aurora", "breeze"}
	}
	return s
}

func around(p geo.Point, degrees float64, r *rand.Rand) geo.Point {
	return onEarth(p.Lat+r.NormFloat64()*degrees, p.Lng+r.NormFloat64()*degrees)
}

// onEarth brings coordinates that ran over a pole or the antimeridian back into range.
func onEarth(lat, lng float64) geo.Point {
	return geo.Point{Lat: max(-90, min(90, lat)), Lng: math.Remainder(lng, 360)}
}

// anywhere is a point of the sphere, all areas alike.
func anywhere(r *rand.Rand) geo.Point {
	return geo.Point{Lat: math.Asin(r.Float64()*2-1) * 180 / math.Pi, Lng: r.Float64()*360 - 180}
}

// brute compares all stores, by the formula of textbooks.
func brute(stores []geo.Store, q geo.Query) []geo.Hit {
	k := max(q.K, 1)
	lat, lng := radians(q.From.Lat), radians(q.From.Lng)
	cos := math.Cos(lat)
	var hits []geo.Hit
	for i := range stores {
		s := &stores[i]
		if q.Ownership != "" && s.Ownership != q.Ownership || !s.Open && !q.Closed || !slices.Contains(s.Brands, q.Brand) || q.Serving && s.Area != nil && !s.Area.Holds(q.From) {
			continue
		}
		φ := radians(s.Point.Lat)
		if len(hits) == k && math.Abs(φ-lat)*geo.EarthRadiusM > hits[k-1].DistanceM+1 {
			continue // farther by latitude alone
		}
		x, y := math.Sin((φ-lat)/2), math.Sin((radians(s.Point.Lng)-lng)/2)
		h := geo.Hit{Store: s.ID, DistanceM: 2 * geo.EarthRadiusM * math.Asin(math.Min(1, math.Sqrt(x*x+cos*math.Cos(φ)*y*y)))}
		if q.MaxM > 0 && h.DistanceM > q.MaxM || len(hits) == k && h.DistanceM > hits[k-1].DistanceM {
			continue
		}
		at, _ := slices.BinarySearchFunc(hits, h, func(a, b geo.Hit) int {
			return cmp.Or(cmp.Compare(a.DistanceM, b.DistanceM), cmp.Compare(a.Store, b.Store))
		})
		hits = slices.Insert(hits, at, h)
		hits = hits[:min(len(hits), k)]
	}
	return hits
}

func radians(degrees float64) float64 { return degrees * (math.Pi / 180) }

// compare asks one point in every way and wants what brute says.
func compare(t interface {
	Helper()
	Errorf(format string, args ...any)
}, ix *geo.Index, stores []geo.Store, p geo.Point) {
	t.Helper()
	for _, q := range []geo.Query{
		{Brand: "aurora"}, {Brand: "aurora", K: 20}, {Brand: "breeze", K: 3, Closed: true}, {Brand: "aurora", K: 20, Ownership: "dealer"},
		{Brand: "breeze", Ownership: "direct"}, {Brand: "aurora", K: 5, MaxM: 20_000}, {Brand: "aurora", MaxM: 3000}, {Brand: "aurora", Serving: true},
		{Brand: "cedar"},
	} {
		q.From = p
		if got, want := ix.Nearest(q), brute(stores, q); !slices.Equal(got, want) {
			t.Errorf("%+v:\n got %v\nwant %v", q, got, want)
		}
	}
}

// TestNearestExact compares points over 200,000 stores with brute force; SCRM_GEO_POINTS sets another number than 2,000.
func TestNearestExact(t *testing.T) {
	t.Parallel()
	points := 2000
	if s := os.Getenv("SCRM_GEO_POINTS"); s != "" {
		var err error
		if points, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(2026, 11))
	stores := chain(200_000, r)
	ix := geo.NewIndex()
	ix.Upsert(stores...)
	special := specialPoints(t)
	for i := range points {
		var p geo.Point
		switch i % 10 {
		case 0:
			p = anywhere(r)
		case 1:
			p = special[i/10%len(special)]
		case 2, 3:
			p = around(stores[r.IntN(len(stores))].Point, 2, r)
		default:
			p = around(stores[r.IntN(len(stores))].Point, 0.05, r)
		}
		q := geo.Query{Brand: "aurora", From: p, K: 1}
		if i%2 == 0 {
			q.K = 20
		}
		switch i % 3 {
		case 1:
			q.Ownership, q.Closed = "franchise", true
		case 2:
			q.Brand, q.MaxM = "breeze", 50_000
		}
		if got, want := ix.Nearest(q), brute(stores, q); !slices.Equal(got, want) {
			t.Fatalf("%+v:\n got %v\nwant %v", q, got, want)
		}
	}
}

// specialPoints are poles, the antimeridian, stores' antipodes, edges and corners of the index's cells, and the pentagons of H3
// at several resolutions.
func specialPoints(t *testing.T) []geo.Point {
	points := []geo.Point{
		{Lat: 90}, {Lat: -90}, {Lat: 90, Lng: 77}, {Lat: 89.9999999, Lng: -120}, {Lng: 180}, {Lng: -180}, {Lat: 45, Lng: 180}, {Lat: -17, Lng: -179.9999999},
		{}, {Lng: 90}, {Lng: 45}, {Lng: 135}, {Lat: 45}, {Lat: -45, Lng: 90}, {Lat: 35.264389682754654, Lng: 45}, {Lat: -35.264389682754654, Lng: 135},
		{Lat: -30, Lng: -75}, {Lat: -31.23, Lng: -58.53}, {Lat: 1e-300, Lng: -5e-324},
	}
	for _, res := range []int{0, 2, 5, 9} {
		cells, err := h3.Pentagons(res)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cells {
			p, err := c.LatLng()
			if err != nil {
				t.Fatal(err)
			}
			points = append(points, geo.Point{Lat: p.Lat, Lng: p.Lng})
		}
	}
	return points
}

func TestNearestLayouts(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7))
	fill := func(n int, at func(i int) geo.Point) []geo.Store {
		stores := make([]geo.Store, n)
		for i := range stores {
			stores[i] = store(i+1, at(i))
		}
		return stores
	}
	shanghai := geo.Point{Lat: 31.23, Lng: 121.47}
	layouts := map[string][]geo.Store{
		"none":         nil,
		"one":          fill(1, func(int) geo.Point { return shanghai }),
		"two opposite": fill(2, func(i int) geo.Point { return geo.Point{Lat: 10 - 20*float64(i), Lng: 30 - 180*float64(i)} }),
		"one street":   fill(10_000, func(i int) geo.Point { return geo.Point{Lat: 31.23, Lng: 121.47 + float64(i)*1e-6} }),
		"one square":   fill(2000, func(int) geo.Point { return around(shanghai, 1e-4, r) }),
		"one building": fill(300, func(int) geo.Point { return around(shanghai, 1e-8, r) }),
		"one door":     fill(300, func(int) geo.Point { return shanghai }),
		"rounded": fill(3000, func(int) geo.Point {
			return geo.Point{Lat: 31 + float64(r.IntN(30))/100, Lng: 121 + float64(r.IntN(30))/100}
		}),
		"equator":     fill(360, func(i int) geo.Point { return geo.Point{Lng: float64(i - 180)} }),
		"around pole": fill(500, func(int) geo.Point { return geo.Point{Lat: 89.99 + r.Float64()/100, Lng: r.Float64()*360 - 180} }),
		"dateline":    fill(500, func(int) geo.Point { return onEarth(r.NormFloat64(), 180+r.NormFloat64()) }),
		"everywhere":  fill(5000, func(int) geo.Point { return anywhere(r) }),
	}
	special := specialPoints(t)
	for name, stores := range layouts {
		points := slices.Clone(special)
		for range 20 {
			points = append(points, anywhere(r), around(shanghai, 0.2, r), around(shanghai, 1e-4, r))
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ix := geo.NewIndex()
			ix.Upsert(stores...)
			for _, p := range points {
				compare(t, ix, stores, p)
			}
		})
	}
}

// Changes one by one, in any order, old ones too, lead to the same answers as the stores' latest versions.
func TestIndexChanges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		width := rapid.SampledFrom([]float64{1e-5, 0.1, 3, 60}).Draw(t, "width")
		place := func() geo.Point {
			p := around(geo.Point{Lat: 31, Lng: 121}, width, r)
			if r.IntN(3) == 0 { // often the same places
				p = geo.Point{Lat: math.Round(p.Lat), Lng: math.Round(p.Lng)}
			}
			return p
		}
		stores := make([]geo.Store, rapid.IntRange(1, 300).Draw(t, "stores"))
		for i := range stores {
			stores[i] = store(i, place())
		}
		ix := geo.NewIndex()
		ix.Upsert(stores...)
		for range rapid.IntRange(0, 60).Draw(t, "changes") {
			s := &stores[r.IntN(len(stores))]
			old := *s
			s.Rev++
			switch r.IntN(4) {
			case 0:
				s.Point = place()
			case 1:
				s.Open = !s.Open
			case 2:
				s.Brands = [][]string{{"aurora"}, {"breeze"}, {"breeze", "aurora"}, nil}[r.IntN(4)]
			case 3:
				area, err := geo.Circle(s.Point, 1000*(1+r.Float64()*50))
				if err != nil {
					t.Fatal(err)
				}
				s.Area, s.Ownership = area, "dealer"
			}
			ix.Upsert(*s, old)
		}
		for range 20 {
			compare(t, ix, stores, place())
			compare(t, ix, stores, anywhere(r))
		}
	})
}

// Readers see each store at its old place or its new one, at any moment.
func TestReadersBesideWriter(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 3))
	stores := chain(500, r)
	for i := range stores {
		stores[i].Open = true
	}
	ix := geo.NewIndex()
	ix.Upsert(stores...)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for seed := range uint64(2) {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 5))
			for {
				select {
				case <-done:
					return
				default:
				}
				if got := ix.Nearest(geo.Query{Brand: "aurora", From: anywhere(r), K: 20}); len(got) != 20 {
					t.Errorf("%d stores", len(got))
					return
				}
			}
		})
	}
	for i := range 2000 {
		s := &stores[i%len(stores)]
		s.Point, s.Rev = around(s.Point, 1, r), s.Rev+1
		ix.Upsert(*s)
		if hits := ix.Nearest(geo.Query{Brand: "aurora", From: s.Point}); len(hits) != 1 || hits[0].DistanceM > 0 {
			t.Fatalf("a moved store is not found at its new place: %v", hits)
		}
	}
	close(done)
	readers.Wait()
}

func BenchmarkNearest(b *testing.B) {
	for _, n := range []int{1000, 20_000, 200_000} {
		r := rand.New(rand.NewPCG(1, 1))
		stores := chain(n, r)
		ix := geo.NewIndex()
		ix.Upsert(stores...)
		points := make([]geo.Point, 1<<16)
		for i := range points {
			points[i] = around(stores[r.IntN(n)].Point, 0.05, r)
			ix.Nearest(geo.Query{Brand: "aurora", From: points[i]})
		}
		for _, k := range []int{1, 20} {
			b.Run(fmt.Sprintf("stores=%d/k=%d", n, k), func(b *testing.B) {
				b.ReportAllocs()
				var hits []geo.Hit
				for i := range b.N {
					hits = ix.AppendNearest(hits[:0], geo.Query{Brand: "aurora", From: points[i&(1<<16-1)], K: k})
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "lookups/s")
			})
		}
	}
}

func BenchmarkUpsert(b *testing.B) {
	for _, n := range []int{1000, 20_000, 200_000} {
		r := rand.New(rand.NewPCG(1, 1))
		stores := chain(n, r)
		b.Run(fmt.Sprintf("all/stores=%d", n), func(b *testing.B) {
			for range b.N {
				geo.NewIndex().Upsert(stores...)
			}
		})
		ix := geo.NewIndex()
		ix.Upsert(stores...)
		b.Run(fmt.Sprintf("one/stores=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				s := &stores[i%n]
				s.Point, s.Rev = around(s.Point, 0.01, r), s.Rev+1
				ix.Upsert(*s)
			}
		})
	}
}
