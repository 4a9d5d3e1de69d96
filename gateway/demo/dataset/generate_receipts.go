package dataset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"
)

// returnPercent is how many of a hundred transactions are returns or refunds.
const returnPercent = 6

// makeReceipts makes sales, then returns of some of their lines, and numbers both in the order of time.
func (g *generator) makeReceipts(rng *rand.Rand) []*Receipt {
	returns := g.recipe.Transactions * returnPercent / 100
	var receipts []*Receipt
	for range g.recipe.Transactions - returns {
		if percent(rng, g.recipe.OnlinePercent) {
			receipts = append(receipts, g.order(rng))
		} else {
			receipts = append(receipts, g.sale(rng))
		}
	}
	left := map[*Receipt][]int64{} // quantity not returned yet, by line
	for sales := receipts; returns > 0; returns-- {
		receipts = append(receipts, g.giveBack(rng, sales, left))
	}
	slices.SortStableFunc(receipts, func(a, b *Receipt) int { return a.Time.Compare(b.Time) })
	for i, r := range receipts {
		switch n := strconv.Itoa(1_000_001 + i); {
		case r.Channel != "" && r.Return:
			r.Refund = "F" + n
		case r.Channel != "":
			r.Number = "D" + n
		case r.Return:
			r.Number = "C" + n
		default:
			r.Number = "R" + n
		}
	}
	for _, r := range receipts {
		if r.Channel != "" && r.Return {
			r.Number = r.Lines[0].Original.Sale.Number
		}
	}
	return receipts
}

func (g *generator) sale(rng *rand.Rand) *Receipt {
	r := &Receipt{Time: g.moment(rng, 9, 22)}
	store := rng.IntN(len(g.stores))
	if percent(rng, 65) {
		c := g.nameCustomer(rng, r)
		store = g.near(rng, c.home, c.brand)
		if percent(rng, 70) {
			store = c.home
		}
	}
	r.Store = g.stores[store].id
	r.Lines = g.lines(rng, g.stores[store].brands)
	return r
}

func (g *generator) order(rng *rand.Rand) *Receipt {
	r := &Receipt{Time: g.moment(rng, 7, 24), Channel: pick(rng, []string{"mini_program", "mini_program", "tmall"}), Brand: pick(rng, g.brands).id}
	store := -1
	if percent(rng, 80) {
		c := g.nameCustomer(rng, r)
		r.Brand = c.onlineBrand
		if slices.Contains(g.stores[c.home].brands, r.Brand) {
			store = c.home
		}
	}
	if store < 0 {
		store = pick(rng, g.byBrand[r.Brand])
	}
	r.Store = g.stores[store].id
	r.Lines = g.lines(rng, []string{r.Brand})
	return r
}

// nameCustomer puts a customer on the receipt; every fourth gives the phone number instead of a card.
func (g *generator) nameCustomer(rng *rand.Rand, r *Receipt) customer {
	c := pick(rng, g.customers)
	r.Customer = c.number
	if g.recipe.OnlinePercent > 0 && oneIn(rng, 4) {
		r.Phone = c.phone
	}
	return c
}

// moment is a second of business between two hours, more on days of the weekend, most around noon and in the evening.
func (g *generator) moment(rng *rand.Rand, opens, closes int) time.Time {
	day := g.first.AddDate(0, 0, rng.IntN(g.recipe.Days))
	if weekday := day.Weekday(); weekday != time.Saturday && weekday != time.Sunday && percent(rng, 20) {
		day = g.first.AddDate(0, 0, rng.IntN(g.recipe.Days))
	}
	peak := pick(rng, []int{12, 18, 19}) * 3600
	second := peak + int(rng.NormFloat64()*2*3600)
	return day.Add(time.Duration(min(max(second, opens*3600), closes*3600-1)) * time.Second)
}

func (g *generator) lines(rng *rand.Rand, brands []string) []Line {
	var lines []Line
	for n := 1; n == 1 || n <= 8 && percent(rng, 56); n++ {
		b := g.brand(pick(rng, brands))
		u := rng.Float64()
		p := b.products[int(u*u*float64(len(b.products)))]
		qty := 1 + int64(max(0, rng.IntN(10)-7))
		lines = append(lines, Line{Line: n, SKU: p.sku, Category: p.category, Brand: b.id, Qty: qty, UnitPrice: p.price, Paid: qty * p.price})
	}
	return lines
}

// giveBack is a return of something: of a line of an earlier sale with a slip that names it, at the same till or another that sells
// the brand, for an order also as a refund; or without a receipt. Who is anonymous in the sale is so in the return. Where no sale
// leaves time or goods for one, it is another sale.
func (g *generator) giveBack(rng *rand.Rand, sales []*Receipt, left map[*Receipt][]int64) *Receipt {
	for range 1000 {
		sale := pick(rng, sales)
		back := sale.Time.Add(time.Duration((20 + rng.ExpFloat64()*36*60) * float64(time.Minute))).Truncate(time.Second)
		if back.Hour() < 9 || back.Hour() >= 22 {
			back = time.Date(back.Year(), back.Month(), back.Day(), 10+rng.IntN(10), rng.IntN(60), rng.IntN(60), 0, Zone)
		}
		if !back.After(sale.Time) || !back.Before(g.end) {
			continue
		}
		if left[sale] == nil {
			for _, l := range sale.Lines {
				left[sale] = append(left[sale], l.Qty)
			}
		}
		r := &Receipt{Return: true, Time: back, Store: sale.Store, Customer: sale.Customer, Phone: sale.Phone}
		first := rng.IntN(len(sale.Lines))
		for i := first; i < len(sale.Lines) && len(r.Lines) < 2; i++ {
			if qty := left[sale][i]; qty > 0 {
				l := sale.Lines[i]
				l.Line, l.Original = len(r.Lines)+1, &Original{Sale: sale, Line: l.Line}
				l.Qty = 1 + rng.Int64N(qty)
				l.Paid = l.Qty * l.UnitPrice
				left[sale][i] -= l.Qty
				r.Lines = append(r.Lines, l)
			}
		}
		if len(r.Lines) == 0 {
			continue
		}
		g.takeBackAt(rng, r, sale)
		return r
	}
	return g.sale(rng)
}

// takeBackAt decides where and how a sale's lines come back.
func (g *generator) takeBackAt(rng *rand.Rand, r, sale *Receipt) {
	home := g.position(sale.Store)
	switch n := rng.IntN(100); {
	case sale.Channel != "" && n < 60: // sent back to the online shop
		r.Channel, r.Brand = sale.Channel, sale.Brand
		if n < 10 { // the goods stay with the customer: an amount only
			for i := range r.Lines {
				r.Lines[i].Qty, r.Lines[i].UnitPrice, r.Lines[i].Paid = 0, 0, (r.Lines[i].Paid+4)/5
			}
		}
	case sale.Channel == "" && n < 15: // the slip is lost
		for i := range r.Lines {
			r.Lines[i].Original = nil
		}
	case n < 35: // taken to another till, one brand only
		brand := r.Lines[0].Brand
		r.Lines = slices.DeleteFunc(r.Lines, func(l Line) bool { return l.Brand != brand })
		r.Store = g.stores[g.near(rng, home, brand)].id
	}
}

func (g *generator) position(store string) int {
	var n int
	if _, err := fmt.Sscanf(store, "s%d", &n); err != nil {
		panic("dataset: " + err.Error()) // ids come from makeStores only
	}
	return n - 1
}
