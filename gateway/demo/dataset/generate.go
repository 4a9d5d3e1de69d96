package dataset

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Recipe says what Generate makes. The same recipe gives the same set, byte for byte.
type Recipe struct {
	Seed          uint64
	Stores        int
	Members       int // people in at least one of the two exports
	Transactions  int
	OnlinePercent int    // of the transactions: orders and their refunds
	Days          int    // of business
	LastDay       string // 2006-01-02
}

// Standard is the recipe of the demo without files: a mid-sized chain's week that ended with lastDay.
func Standard(seed uint64, transactions int, lastDay string) Recipe {
	return Recipe{Seed: seed, Stores: 2000, Members: 20_000, Transactions: transactions, OnlinePercent: 10, Days: 7, LastDay: lastDay}
}

// Zone is where generated stores are: China has one time zone, without summer time since 1991.
var Zone = time.FixedZone("CST", 8*60*60)

// Generate makes a set up. With OnlinePercent 0 it fits into the files' formats without loss, but for which sales returns name.
func Generate(recipe Recipe) (*Set, error) {
	last, err := time.ParseInLocation(time.DateOnly, recipe.LastDay, Zone)
	if err != nil {
		return nil, fmt.Errorf("dataset: last day: %w", err)
	}
	if recipe.Stores < 1 || recipe.Members < 1 || recipe.Transactions < 1 || recipe.Days < 1 || recipe.OnlinePercent < 0 || recipe.OnlinePercent > 50 {
		return nil, fmt.Errorf("dataset: a recipe needs stores, members, transactions and days, and at most 50 %% online")
	}
	g := &generator{recipe: recipe, first: last.AddDate(0, 0, 1-recipe.Days), end: last.AddDate(0, 0, 1), brands: brandsOf(recipe)}
	// Each part has its own source, so that a change of one leaves the others as they were.
	g.makeStores(g.source("stores"))
	g.makeCustomers(g.source("customers"))
	set := &Set{StoresCSV: g.storesCSV()}
	if set.Stores, err = parseStores(set.StoresCSV); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if set.Online, err = parseExport(g.exportCSV(g.source("online export"), onlineExport)); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	if set.InStore, err = parseExport(g.exportCSV(g.source("store export"), inStoreExport)); err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	set.Receipts = g.makeReceipts(g.source("receipts"))
	set.finish()
	return set, nil
}

// generator holds what the parts of a set share.
type generator struct {
	recipe     Recipe
	first, end time.Time // start of the first day, and of the day after the last
	brands     []brand
	stores     []place
	byCity     map[string][]int // positions in stores
	byBrand    map[string][]int // positions in stores
	customers  []customer
}

func (g *generator) source(part string) *rand.Rand {
	var stream uint64 = 14695981039346656037 // FNV-1a
	for i := range len(part) {
		stream = (stream ^ uint64(part[i])) * 1099511628211
	}
	return rand.New(rand.NewPCG(g.recipe.Seed, stream))
}

// oneIn is true once in n times.
func oneIn(rng *rand.Rand, n int) bool { return rng.IntN(n) == 0 }

// percent is true in p of a hundred cases.
func percent(rng *rand.Rand, p int) bool { return rng.IntN(100) < p }

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// brand is a made-up brand with what it sells, the best-selling first.
type brand struct {
	id       string
	products []product
}

type product struct {
	sku, category string
	price         int64
}

var categories = []string{"cake", "tea", "mug", "bread", "coffee", "candle", "gift", "card"}

func brandsOf(recipe Recipe) []brand {
	rng := rand.New(rand.NewPCG(recipe.Seed, 1))
	brands := []brand{{id: "aurora"}, {id: "breeze"}, {id: "cedar"}}
	for i := range brands {
		for n := range 80 {
			brands[i].products = append(brands[i].products, product{
				sku:      fmt.Sprintf("%c%04d", brands[i].id[0]-'a'+'A', 1000+n),
				category: pick(rng, categories),
				price:    int64(9+rng.IntN(190))*100 - pick(rng, []int64{0, 1, 10, 20}),
			})
		}
	}
	return brands
}

func (g *generator) brand(id string) brand {
	for _, b := range g.brands {
		if b.id == id {
			return b
		}
	}
	panic("dataset: no brand " + id) // ids come from brandsOf only
}
