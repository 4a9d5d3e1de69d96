package demo

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"scrm/gateway/demo/dataset"
)

// business is what the demo makes up around a set: who runs the brands, what they pay, who works where. It follows from the
// set alone, so that a second run makes the same.
type business struct {
	set     *dataset.Set
	brands  []string
	selling []dataset.Store
	since   time.Time // from when programs, plans and employments hold: a month before anything happened
}

// object is a JSON object.
type object = map[string]any

// capacity is how many members of a brand a guide may serve: more than the exports bring to any store.
const capacity = 2000

func newBusiness(set *dataset.Set) (*business, error) {
	if len(set.Receipts) == 0 {
		return nil, fmt.Errorf("demo: there are no receipts")
	}
	first := set.Receipts[0].Time
	since := time.Date(first.Year(), first.Month(), first.Day(), 0, 0, 0, 0, first.Location())
	for _, joined := range []string{set.Online.Since, set.InStore.Since} {
		if day, err := time.ParseInLocation(time.DateOnly, joined, first.Location()); err == nil && day.Before(since) {
			since = day
		}
	}
	return &business{set: set, brands: set.Brands(), selling: set.Selling(), since: since.AddDate(0, 0, -30)}, nil
}

// dates are the days to close: from the first receipt's to the one on which the last receipt's commission settles, as far as they
// are past.
func (b *business) dates(now time.Time) []string {
	receipts := b.set.Receipts
	first, last := receipts[0].Time, receipts[len(receipts)-1].Time
	today := now.In(first.Location()).Format(time.DateOnly)
	settled := last.AddDate(0, 0, slices.Max(holdDays)).Format(time.DateOnly)
	var dates []string
	for day := first; ; day = day.AddDate(0, 0, 1) {
		date := day.Format(time.DateOnly)
		if date > settled || date >= today {
			return dates
		}
		dates = append(dates, date)
	}
}

var brandNames = map[string]string{"aurora": "极光烘焙", "breeze": "微风茶饮", "cedar": "雪松生活"}

func (b *business) brand(id string) object {
	return object{
		"id": id, "name": cmp.Or(brandNames[id], id), "currency": "CNY", "timezone": "Asia/Shanghai", "max_assign_km": 30,
		"close_at": nil, // by hand while the past is replayed
	}
}

// program is a brand's online or store program. Its tiers are named as the exports name them.
func (b *business) program(kind string) object {
	names, ids := []string{"V1", "V2", "V3", "V4"}, []string{"v1", "v2", "v3", "v4"}
	pending := 0
	if kind == "store" {
		names, ids = []string{"普通", "银卡", "金卡", "钻石"}, []string{"regular", "silver", "gold", "diamond"}
		pending = 7
	}
	var tiers []object
	for i, growth := range []int{0, 2000, 10_000, 50_000} {
		tiers = append(tiers, object{"id": ids[i], "name": names[i], "growth": growth, "earn_multiplier_bps": 10_000 + 1000*i})
	}
	return object{
		"effective_from": b.since.Format(time.RFC3339),
		"earn": object{
			"points_per_unit": 1, "unit": 100, "rounding": "down", "categories": object{"cake": 2},
		},
		"pending_days": pending, "expire_months": 24, "growth_per_unit": 1, "tiers": tiers,
	}
}

// holdDays are how long the brands hold commission back, by position.
var holdDays = []int{0, 2, 1}

// plan is what a brand pays. The three kinds differ in what design calls the rules' dimensions: by SKU, category, ownership and
// channel; a rate or a fixed amount; shares that use the pool up or not; who gets what nobody holds.
func (b *business) plan(brand string) object {
	star := b.bestSeller(brand)
	kinds := [][]object{
		{
			{"id": "all", "rate_bps": 300, "roles": object{"selling": 6000, "serving": 3000, "manager": 1000}},
			{"id": "dealer", "ownership": "dealer", "rate_bps": 250, "roles": object{"selling": 5000, "serving": 2500, "manager": 500, "store": 2000}},
			{"id": "tea", "category": "tea", "rate_bps": 450, "roles": object{"selling": 5000, "serving": 3333, "recruiting": 667, "manager": 1000}},
			{"id": "star", "sku": star, "fixed_per_unit": 25, "roles": object{"selling": 7000, "store": 3000}},
		},
		{
			{"id": "all", "rate_bps": 275, "roles": object{"selling": 4000, "serving": 4000, "recruiting": 1000, "manager": 500, "store": 500}},
			{"id": "online", "channel": "mini_program", "rate_bps": 180, "roles": object{"serving": 6000, "recruiting": 1500, "store": 2500}},
			{"id": "cake", "category": "cake", "rate_bps": 500, "roles": object{"selling": 6667, "serving": 3333}},
			{"id": "direct-cake", "category": "cake", "ownership": "direct", "rate_bps": 520, "roles": object{"selling": 6000, "serving": 3000, "manager": 1000}},
		},
		{
			{"id": "all", "rate_bps": 333, "roles": object{"selling": 5000, "serving": 2500, "recruiting": 500, "manager": 500}},
			{"id": "star", "sku": star, "rate_bps": 800, "roles": object{"selling": 5000, "serving": 5000}},
			{"id": "star-dealer", "sku": star, "ownership": "dealer", "channel": "store", "rate_bps": 700, "roles": object{"selling": 4000, "serving": 4000, "store": 2000}},
			{"id": "mug", "category": "mug", "fixed_per_unit": 33, "roles": object{"selling": 3333, "serving": 3333, "manager": 3333}},
		},
	}
	i := slices.Index(b.brands, brand)
	return object{
		"brand": brand, "effective_from": b.since.Format(time.RFC3339), "hold_days": holdDays[i%len(holdDays)],
		"fallback": []string{"selling", "store", "none"}[i%3], "rules": kinds[i%len(kinds)],
	}
}

// bestSeller is the SKU that stands on most of a brand's sale lines.
func (b *business) bestSeller(brand string) string {
	count := map[string]int{}
	for _, r := range b.set.Receipts {
		for _, l := range r.Lines {
			if l.Brand == brand && !r.Return {
				count[l.SKU]++
			}
		}
	}
	return most(count)
}

// fallbackStore is where members of a brand go whom no address leads to a store: the selling store with most receipts.
func (b *business) fallbackStore(brand string) string {
	carries := map[string]bool{}
	for _, s := range b.selling {
		carries[s.ID] = slices.Contains(s.Brands, brand)
	}
	receipts := map[string]int{}
	for _, r := range b.set.Receipts {
		if carries[r.Store] {
			receipts[r.Store]++
		}
	}
	return most(receipts)
}

// most is the key with the greatest count, the least of them where several have it; "" of none.
func most(count map[string]int) string {
	best := ""
	for key, n := range count {
		if best == "" || n > count[best] || n == count[best] && key < best {
			best = key
		}
	}
	return best
}

// staff are a selling store's two guides and its manager, all for every brand that it carries.
func (b *business) staff(s dataset.Store) []object {
	person := func(id, role string, capacity int) object {
		return object{
			"id": id, "name": personName(id), "store": s.ID, "brands": s.Brands, "role": role, "capacity": capacity, "on_duty": true,
			"employed_from": b.since.Format(time.RFC3339),
		}
	}
	return []object{
		person(guideID(s.ID, 1), "guide", capacity), person(guideID(s.ID, 2), "guide", capacity), person(managerID(s.ID), "manager", 0),
	}
}

func guideID(store string, n int) string { return fmt.Sprintf("g-%s-%d", store, n) }

func managerID(store string) string { return "m-" + store }

func tillID(store string) string { return "t-" + store }

// sellingGuide is who sold a receipt: one of the store's two guides, and for one receipt in twelve nobody who said so.
func sellingGuide(r *dataset.Receipt) string {
	switch n := spread(r.Number, 12); {
	case r.Channel != "" || n == 0:
		return ""
	default:
		return guideID(r.Store, 1+n%2)
	}
}

func personName(id string) string {
	surnames := []rune("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁")
	given := []rune("芳娜敏静丽艳娟霞秀英华慧巧美玉兰红洁琳雪梅婷晶妍佳嘉欣怡思雨萱子涵")
	return string([]rune{surnames[spread(id, len(surnames))], given[spread("1"+id, len(given))], given[spread("2"+id, len(given))]})
}

// spread is a number under n that follows from the text and looks like chance.
func spread(text string, n int) int {
	h := fnv.New32a()
	h.Write([]byte(text))
	return int(h.Sum32() % uint32(n))
}
