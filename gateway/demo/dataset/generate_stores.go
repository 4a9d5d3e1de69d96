package dataset

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// place is a generated store.
type place struct {
	id, name, address, ownership, dealer string
	city                                 city
	brands                               []string
	lat, lng                             float64
}

var streets = []string{"人民路", "解放路", "中山路", "建设大街", "和平里", "南京路", "步行街", "万象城", "大悦城", "火车站", "滨江道", "大学城", "科技园", "银泰城", "凯德广场", "时代广场"}

// dealers run the stores of that ownership.
var dealers = []string{"d-huadong", "d-huanan", "d-huabei", "d-huazhong", "d-xinan", "d-xibei", "d-dongbei", "d-gangao"}

// makeStores scatters stores around cities, more where more people live, densest in the middle.
func (g *generator) makeStores(rng *rand.Rand) {
	people := 0
	for _, c := range cities {
		people += c.population
	}
	g.byCity, g.byBrand = map[string][]int{}, map[string][]int{}
	for i := range g.recipe.Stores {
		at, n := cities[0], rng.IntN(people)
		for _, c := range cities {
			if n -= c.population; n < 0 {
				at = c
				break
			}
		}
		// Half of a city of 10 million lives within about 9 km of its centre.
		radius := 9 * math.Sqrt(float64(at.population)/1000) * math.Abs(rng.NormFloat64())
		angle := 2 * math.Pi * rng.Float64()
		const kmPerDegree = 111.2
		p := place{
			id:        fmt.Sprintf("s%05d", i+1),
			city:      at,
			ownership: pick(rng, []string{"direct", "direct", "direct", "direct", "dealer", "dealer", "dealer", "franchise"}),
			lat:       at.lat + radius*math.Sin(angle)/kmPerDegree,
			lng:       at.lng + radius*math.Cos(angle)/kmPerDegree/math.Cos(at.lat*math.Pi/180),
		}
		if p.ownership == "dealer" {
			p.dealer = dealers[len(dealers)*i/g.recipe.Stores]
		}
		street := pick(rng, streets)
		p.name = fmt.Sprintf("%s%s%d店", strings.TrimSuffix(at.name, "市"), street, i+1)
		p.address = fmt.Sprintf("%s, %s%d号", at.name, street, 1+rng.IntN(999))
		// Collection stores carry two or three brands; the first three stores make sure that every brand is sold.
		for _, n := range rng.Perm(len(g.brands))[:1+max(0, rng.IntN(7)-4)] {
			p.brands = append(p.brands, g.brands[n].id)
		}
		if i < len(g.brands) && !slices.Contains(p.brands, g.brands[i].id) {
			p.brands = append(p.brands, g.brands[i].id)
		}
		slices.Sort(p.brands)
		g.byCity[at.name] = append(g.byCity[at.name], i)
		for _, b := range p.brands {
			g.byBrand[b] = append(g.byBrand[b], i)
		}
		g.stores = append(g.stores, p)
	}
}

// storesCSV writes the store list. The column dealer is there only where orders are: the files' format does not have it.
func (g *generator) storesCSV() []byte {
	rows := [][]string{{"id", "name", "address", "city", "region", "ownership", "brands", "lat", "lng"}}
	degrees := func(d float64) string { return strconv.FormatFloat(d, 'f', 5, 64) }
	for _, p := range g.stores {
		rows = append(rows, []string{p.id, p.name, p.address, p.city.name, p.city.region, p.ownership, strings.Join(p.brands, "|"), degrees(p.lat), degrees(p.lng)})
	}
	if g.recipe.OnlinePercent > 0 {
		rows[0] = append(rows[0], "dealer")
		for i, p := range g.stores {
			rows[i+1] = append(rows[i+1], p.dealer)
		}
	}
	return toCSV(rows)
}

func toCSV(rows [][]string) []byte {
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.WriteAll(rows) //nolint:errcheck // a buffer takes everything
	return out.Bytes()
}

// near is a store of the same city that carries the brand, often the store itself.
func (g *generator) near(rng *rand.Rand, store int, brand string) int {
	for range 4 {
		if other := pick(rng, g.byCity[g.stores[store].city.name]); slices.Contains(g.stores[other].brands, brand) {
			return other
		}
	}
	return store
}
