package demo

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"scrm/gateway/demo/dataset"
)

// Business is what the demo makes up around a set: who runs the brands, what they pay, who works where. It follows from the
// set alone, so that a second run makes the same.
type Business struct {
	Brands  []string
	Selling []dataset.Store // stores that have receipts: they have people and a till
	Since   time.Time       // from when programs, plans and employments hold: a month before anything happened

	set       *dataset.Set
	stars     map[string]string // each brand's best-selling SKU
	fallbacks map[string]string // each brand's fallback store
}

// object is a JSON object.
type object = map[string]any

// capacity is how many members of a brand a guide may serve: more than the exports bring to any store.
const capacity = 2000

// NewBusiness makes the business of a set; it fails where there are no receipts.
func NewBusiness(set *dataset.Set) (*Business, error) {
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
	b := &Business{
		Brands: set.Brands(), Selling: set.Selling(), Since: since.AddDate(0, 0, -30), set: set, stars: map[string]string{}, fallbacks: map[string]string{},
	}
	for _, brand := range b.Brands {
		b.stars[brand], b.fallbacks[brand] = b.bestSeller(brand), b.busiest(brand)
	}
	return b, nil
}

// dates are the days to close: from the first receipt's to the one on which the last receipt's commission settles, as far as they
// are past.
func (b *Business) dates(now time.Time) []string {
	receipts := b.set.Receipts
	first, last := receipts[0].Time, receipts[len(receipts)-1].Time
	today := now.In(first.Location()).Format(time.DateOnly)
	settled := last.AddDate(0, 0, maxHoldDays).Format(time.DateOnly)
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

func (b *Business) brand(id string) object {
	return object{
		"id": id, "name": cmp.Or(brandNames[id], id), "currency": "CNY", "timezone": "Asia/Shanghai", "max_assign_km": 30,
		"close_at": nil, // by hand while the past is replayed
	}
}

// program is a brand's online or store program. Its tiers are named as the exports name them.
func (b *Business) program(kind string) object {
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
		"effective_from": b.Since.Format(time.RFC3339),
		"earn": object{
			"points_per_unit": 1, "unit": 100, "rounding": "down", "categories": object{"cake": 2},
		},
		"pending_days": pending, "expire_months": 24, "growth_per_unit": 1, "tiers": tiers,
	}
}

// Plan is a brand's commission plan as the server takes it.
type Plan struct {
	Brand         string `json:"brand"`
	EffectiveFrom string `json:"effective_from"`
	HoldDays      int    `json:"hold_days"`
	Fallback      string `json:"fallback"` // selling, store or none
	Rules         []Rule `json:"rules"`
}

// Rule is a rule of a plan: for a SKU, a category or every line, perhaps only in stores of one ownership or on one channel.
type Rule struct {
	ID           string         `json:"id"`
	SKU          string         `json:"sku,omitempty"`
	Category     string         `json:"category,omitempty"`
	Ownership    string         `json:"ownership,omitempty"`
	Channel      string         `json:"channel,omitempty"`
	RateBps      int64          `json:"rate_bps,omitempty"`       // of what was paid, or …
	FixedPerUnit int64          `json:"fixed_per_unit,omitempty"` // … minor units
	Roles        map[string]int `json:"roles"`                    // basis points of the pool
}

type roles = map[string]int

// maxHoldDays is the longest that a brand holds commission back.
const maxHoldDays = 2

// Plan is what a brand pays. There are three kinds, by the brand's position; between them they use rules by SKU, category,
// ownership and channel, rates and fixed amounts, shares that use the pool up and some that do not, and every fallback.
func (b *Business) Plan(brand string) Plan {
	star := b.stars[brand]
	plan := Plan{Brand: brand, EffectiveFrom: b.Since.Format(time.RFC3339)}
	switch slices.Index(b.Brands, brand) % 3 {
	case 0:
		plan.Fallback, plan.HoldDays, plan.Rules = "selling", 0, []Rule{
			{ID: "all", RateBps: 300, Roles: roles{"selling": 6000, "serving": 3000, "manager": 1000}},
			{ID: "dealer", Ownership: "dealer", RateBps: 250, Roles: roles{"selling": 5000, "serving": 2500, "manager": 500, "store": 2000}},
			{ID: "tea", Category: "tea", RateBps: 450, Roles: roles{"selling": 5000, "serving": 3333, "recruiting": 667, "manager": 1000}},
			{ID: "star", SKU: star, FixedPerUnit: 25, Roles: roles{"selling": 7000, "store": 3000}},
		}
	case 1:
		plan.Fallback, plan.HoldDays, plan.Rules = "store", maxHoldDays, []Rule{
			{ID: "all", RateBps: 275, Roles: roles{"selling": 4000, "serving": 4000, "recruiting": 1000, "manager": 500, "store": 500}},
			{ID: "online", Channel: "mini_program", RateBps: 180, Roles: roles{"serving": 6000, "recruiting": 1500, "store": 2500}},
			{ID: "cake", Category: "cake", RateBps: 500, Roles: roles{"selling": 6667, "serving": 3333}},
			{ID: "direct-cake", Category: "cake", Ownership: "direct", RateBps: 520, Roles: roles{"selling": 6000, "serving": 3000, "manager": 1000}},
		}
	default:
		plan.Fallback, plan.HoldDays, plan.Rules = "none", 1, []Rule{
			{ID: "all", RateBps: 333, Roles: roles{"selling": 5000, "serving": 2500, "recruiting": 500, "manager": 500}},
			{ID: "star", SKU: star, RateBps: 800, Roles: roles{"selling": 5000, "serving": 5000}},
			{ID: "star-dealer", SKU: star, Ownership: "dealer", Channel: "store", RateBps: 700, Roles: roles{"selling": 4000, "serving": 4000, "store": 2000}},
			{ID: "mug", Category: "mug", FixedPerUnit: 33, Roles: roles{"selling": 3333, "serving": 3333, "manager": 3333}},
		}
	}
	return plan
}

// bestSeller is the SKU that stands on most of a brand's sale lines.
func (b *Business) bestSeller(brand string) string {
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

// FallbackStore is where members of a brand go whom no address leads to a store: the selling store with most receipts.
func (b *Business) FallbackStore(brand string) string { return b.fallbacks[brand] }

// busiest is the selling store of a brand that has most receipts.
func (b *Business) busiest(brand string) string {
	carries := map[string]bool{}
	for _, s := range b.Selling {
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
func (b *Business) staff(s dataset.Store) []object {
	person := func(id, role string, capacity int) object {
		return object{
			"id": id, "name": personName(id), "store": s.ID, "brands": s.Brands, "role": role, "capacity": capacity, "on_duty": true,
			"employed_from": b.Since.Format(time.RFC3339),
		}
	}
	return []object{
		person(GuideID(s.ID, 1), "guide", capacity), person(GuideID(s.ID, 2), "guide", capacity), person(ManagerID(s.ID), "manager", 0),
	}
}

// GuideID is a selling store's first or second guide.
func GuideID(store string, n int) string { return fmt.Sprintf("g-%s-%d", store, n) }

// ManagerID is a selling store's manager.
func ManagerID(store string) string { return "m-" + store }

func tillID(store string) string { return "t-" + store }

// SellingGuide is who sold a receipt: one of the store's two guides, and for one receipt in twelve nobody who said so.
func SellingGuide(r *dataset.Receipt) string {
	switch n := spread(r.Number, 12); {
	case r.Channel != "" || n == 0:
		return ""
	default:
		return GuideID(r.Store, 1+n%2)
	}
}

var dealerNames = map[string]string{
	"d-huadong": "华东商贸", "d-huanan": "华南商贸", "d-huabei": "华北商贸", "d-huazhong": "华中商贸",
	"d-xinan": "西南商贸", "d-xibei": "西北商贸", "d-dongbei": "东北商贸", "d-gangao": "港澳商贸",
}

func dealerName(id string) string { return cmp.Or(dealerNames[id], id) }

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
