package dataset

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// customer is a person whom at least one of the two old systems knows.
type customer struct {
	number        string
	phone         string // mainland mobile number, 11 digits
	home          int    // position of the store that they mostly go to
	brand         string // that both systems have them under …
	onlineBrand   string // … unless the online one has another
	joined        time.Time
	online, store bool
}

func (g *generator) makeCustomers(rng *rand.Rand) {
	taken := map[string]bool{}
	for i := range g.recipe.Members {
		c := customer{number: strconv.Itoa(10_001 + i), home: rng.IntN(len(g.stores))}
		for c.phone == "" || taken[c.phone] {
			c.phone = fmt.Sprintf("%s%08d", pick(rng, []string{"133", "138", "139", "150", "159", "177", "186", "198"}), rng.IntN(100_000_000))
		}
		taken[c.phone] = true
		c.brand = pick(rng, g.stores[c.home].brands)
		c.onlineBrand = c.brand
		if oneIn(rng, 10) {
			c.onlineBrand = pick(rng, g.brands).id
		}
		// Most joined within the last two years, some during the days of business.
		c.joined = g.end.AddDate(0, 0, -1-rng.IntN(1+rng.IntN(700)))
		c.online, c.store = percent(rng, 55), percent(rng, 50)
		c.store = c.store || !c.online
		g.customers = append(g.customers, c)
	}
}

// exportKind is one of the two systems that members come from.
type exportKind struct {
	letter    byte
	storeless int // one row in so many names no store
	levels    []string
}

var (
	onlineExport  = exportKind{'O', 4, []string{"V1", "V2", "V3", "V4"}}
	inStoreExport = exportKind{'S', 30, []string{"普通", "银卡", "金卡", "钻石"}}
)

// exportCSV writes a system's member list as such lists are: by date, each number written as somebody typed it, some cut
// short, some missing, some landlines, and the same person twice under two ids.
func (g *generator) exportCSV(rng *rand.Rand, kind exportKind) []byte {
	type entry struct {
		day   string
		order int
		row   []string
	}
	var entries []entry
	add := func(c customer, id, phone string, joined time.Time) {
		brand, store, name := c.brand, g.stores[c.home].id, ""
		if kind.letter == 'O' {
			brand = c.onlineBrand
		}
		if oneIn(rng, kind.storeless) {
			store = ""
		}
		if percent(rng, 60) {
			name = "客户" + c.number
		}
		day := joined.Format(time.DateOnly)
		entries = append(entries, entry{day: day, order: len(entries), row: []string{
			string(kind.letter) + id, phone, name, pick(rng, kind.levels), strconv.Itoa(rng.IntN(20_000)), day, store, brand,
		}})
	}
	for _, c := range g.customers {
		if kind.letter == 'O' && !c.online || kind.letter == 'S' && !c.store {
			continue
		}
		switch n := rng.IntN(1000); {
		case n < 12:
			add(c, c.number, "", c.joined)
		case n < 22:
			add(c, c.number, fmt.Sprintf("021-%08d", rng.IntN(100_000_000)), c.joined)
		case n < 32:
			add(c, c.number, written(rng, c.phone[:8+rng.IntN(3)]), c.joined)
		default:
			add(c, c.number, written(rng, c.phone), c.joined)
			if oneIn(rng, 40) {
				add(c, c.number+"-dup", written(rng, c.phone), c.joined)
			}
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(cmp.Compare(a.day, b.day), a.order-b.order) })
	rows := [][]string{{"external_id", "phone", "name", "level", "points", "joined", "store", "brand"}}
	for _, e := range entries {
		rows = append(rows, e.row)
	}
	return toCSV(rows)
}

// written is a number in one of eight ways.
func written(rng *rand.Rand, digits string) string {
	spaced := func(sep string) string {
		return digits[:3] + sep + digits[3:7] + sep + digits[7:]
	}
	switch rng.IntN(8) {
	case 0:
		return "+86" + digits
	case 1:
		return "0086" + digits
	case 2:
		return "86-" + digits
	case 3:
		return "+86 " + spaced(" ")
	case 4:
		return spaced("-")
	case 5:
		return " " + digits + " "
	case 6:
		wide := make([]rune, len(digits))
		for i := range digits {
			wide[i] = '０' + rune(digits[i]-'0')
		}
		return string(wide)
	default:
		return digits
	}
}
