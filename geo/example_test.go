package geo_test

import (
	"fmt"

	"scrm/geo"
)

func ExampleIndex() {
	ix := geo.NewIndex()
	ix.Upsert(
		geo.Store{ID: "bund", Point: geo.Point{Lat: 31.2397, Lng: 121.4905}, Brands: []string{"aurora"}, Open: true, Rev: 1},
		geo.Store{ID: "airport", Point: geo.Point{Lat: 31.1443, Lng: 121.8083}, Brands: []string{"aurora", "breeze"}, Open: true, Rev: 1},
	)
	tower := geo.Point{Lat: 31.2417, Lng: 121.4953}
	for _, hit := range ix.Nearest(geo.Query{Brand: "aurora", From: tower, K: 5}) {
		fmt.Printf("%s %.0f m\n", hit.Store, hit.DistanceM)
	}
	// After the first store has closed: within 30 km, and of another brand.
	ix.Upsert(geo.Store{ID: "bund", Point: geo.Point{Lat: 31.2397, Lng: 121.4905}, Brands: []string{"aurora"}, Rev: 2})
	fmt.Println(ix.Nearest(geo.Query{Brand: "aurora", From: tower, MaxM: 30_000}))
	fmt.Println(ix.Nearest(geo.Query{Brand: "breeze", From: tower})[0].Store)
	// Output:
	// bund 508 m
	// airport 31681 m
	// []
	// airport
}

// A store that delivers within an area of its own is passed over by those who live outside it.
func ExamplePolygon() {
	pudong, err := geo.Polygon([]geo.Point{{Lat: 31.1, Lng: 121.5}, {Lat: 31.1, Lng: 122}, {Lat: 31.4, Lng: 122}, {Lat: 31.4, Lng: 121.5}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ix := geo.NewIndex()
	ix.Upsert(
		geo.Store{ID: "river", Point: geo.Point{Lat: 31.24, Lng: 121.51}, Brands: []string{"aurora"}, Open: true, Area: pudong},
		geo.Store{ID: "hongqiao", Point: geo.Point{Lat: 31.2, Lng: 121.33}, Brands: []string{"aurora"}, Open: true},
	)
	bund := geo.Point{Lat: 31.2397, Lng: 121.4905}
	fmt.Println(ix.Nearest(geo.Query{Brand: "aurora", From: bund})[0].Store, ix.Nearest(geo.Query{Brand: "aurora", From: bund, Serving: true})[0].Store)
	// Output: river hongqiao
}

func ExampleDistance() {
	beijing, shanghai := geo.Point{Lat: 39.9042, Lng: 116.4074}, geo.Point{Lat: 31.2304, Lng: 121.4737}
	fmt.Printf("%.1f km\n", geo.Distance(beijing, shanghai)/1000)
	// Output: 1067.3 km
}
