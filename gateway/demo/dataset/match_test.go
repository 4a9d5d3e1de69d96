package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func at(minute int) time.Time { return time.Date(2011, 1, 1, 10, minute, 0, 0, Zone) }

func slip(number string, minute int, customer string, lines ...Line) *Receipt {
	return &Receipt{Number: number, Return: number[0] == 'C', Time: at(minute), Customer: customer, Lines: lines}
}

func item(n int, sku string, qty, price int64) Line {
	return Line{Line: n, SKU: sku, Qty: qty, UnitPrice: price, Paid: qty * price}
}

// found says what the lines of returns took back, in order: "sale:line", or "-".
func found(receipts []*Receipt) []string {
	var out []string
	for _, r := range receipts {
		for _, l := range r.Lines {
			switch {
			case !r.Return:
			case l.Original == nil:
				out = append(out, "-")
			default:
				out = append(out, fmt.Sprintf("%s:%d", l.Original.Sale.Number, l.Original.Line))
			}
		}
	}
	return out
}

func TestMatchReturns(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		receipts []*Receipt
		want     []string
	}{
		"the latest earlier one": {
			[]*Receipt{slip("1", 1, "a", item(1, "x", 1, 100)), slip("2", 2, "a", item(1, "x", 1, 100)), slip("C3", 3, "a", item(1, "x", 1, 100)), slip("4", 4, "a", item(1, "x", 1, 100))},
			[]string{"2:1"},
		},
		"the later line of a receipt that repeats the SKU": {
			[]*Receipt{slip("1", 1, "a", item(1, "x", 1, 100), item(2, "x", 1, 100)), slip("C2", 2, "a", item(1, "x", 1, 100), item(2, "x", 1, 100), item(3, "x", 1, 100))},
			[]string{"1:2", "1:1", "-"},
		},
		"in the same minute the receipts' numbers decide": {
			[]*Receipt{slip("1", 1, "a", item(1, "x", 1, 100)), slip("2", 1, "a", item(1, "x", 1, 100)), slip("C1", 1, "a", item(1, "x", 1, 100))},
			[]string{"2:1"},
		},
		"another customer's, another SKU": {
			[]*Receipt{slip("1", 1, "a", item(1, "x", 1, 100)), slip("C2", 2, "b", item(1, "x", 1, 100)), slip("C3", 3, "a", item(1, "y", 1, 100))},
			[]string{"-", "-"},
		},
		"anonymous ones match nothing": {
			[]*Receipt{slip("1", 1, "", item(1, "x", 1, 100)), slip("C2", 2, "", item(1, "x", 1, 100))},
			[]string{"-"},
		},
		"not enough quantity left": {
			[]*Receipt{slip("1", 1, "a", item(1, "x", 5, 100)), slip("2", 2, "a", item(1, "x", 2, 100)), slip("C3", 3, "a", item(1, "x", 3, 100)), slip("C4", 4, "a", item(1, "x", 3, 50)), slip("C5", 5, "a", item(1, "x", 2, 100))},
			[]string{"1:1", "-", "2:1"},
		},
		"not enough amount left": {
			[]*Receipt{slip("1", 1, "a", item(1, "x", 5, 100)), slip("C2", 2, "a", item(1, "x", 2, 200)), slip("C3", 3, "a", item(1, "x", 2, 100)), slip("C4", 4, "a", item(1, "x", 1, 100))},
			[]string{"1:1", "-", "1:1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			matchReturns(c.receipts)
			if got := found(c.receipts); !slices.Equal(got, c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}

// TestMatchReturnsAgainstTheRule compares with the rule written down naively: try every sale line, keep the greatest.
func TestMatchReturnsAgainstTheRule(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var receipts []*Receipt
		for i := range rapid.IntRange(1, 40).Draw(t, "receipts") {
			number := fmt.Sprint(i)
			if rapid.Bool().Draw(t, "return") {
				number = "C" + number
			}
			r := slip(number, rapid.IntRange(0, 20).Draw(t, "minute"), rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "customer"))
			for n := range rapid.IntRange(1, 4).Draw(t, "lines") {
				r.Lines = append(r.Lines, item(n+1, rapid.SampledFrom([]string{"x", "y"}).Draw(t, "sku"), rapid.Int64Range(1, 4).Draw(t, "qty"), rapid.Int64Range(1, 3).Draw(t, "price")))
			}
			receipts = append(receipts, r)
		}
		set := &Set{Receipts: receipts}
		set.finish()
		matchReturns(set.Receipts)

		type candidate struct {
			r *Receipt
			l Line
		}
		back := map[string][2]int64{}
		key := func(c candidate) string { return fmt.Sprintf("%s:%d", c.r.Number, c.l.Line) }
		later := func(a, b candidate) int {
			return cmp.Or(a.r.Time.Compare(b.r.Time), cmp.Compare(a.r.Number, b.r.Number), cmp.Compare(a.l.Line, b.l.Line))
		}
		var want []string
		for _, r := range set.Receipts {
			for _, l := range r.Lines {
				if !r.Return {
					continue
				}
				this := candidate{r, l}
				var best *candidate
				for _, s := range set.Receipts {
					for _, sl := range s.Lines {
						c := candidate{s, sl}
						used := back[key(c)]
						if !s.Return && s.Customer != "" && s.Customer == r.Customer && sl.SKU == l.SKU && later(c, this) < 0 &&
							sl.Qty-used[0] >= l.Qty && sl.Paid-used[1] >= l.Paid && (best == nil || later(c, *best) > 0) {
							best = &c
						}
					}
				}
				if best == nil {
					want = append(want, "-")
					continue
				}
				used := back[key(*best)]
				back[key(*best)] = [2]int64{used[0] + l.Qty, used[1] + l.Paid}
				want = append(want, key(*best))
			}
		}
		if got := found(set.Receipts); !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
