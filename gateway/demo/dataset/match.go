package dataset

// matchReturns finds the sale that a return's line takes back where the slip names none: the latest earlier sale line (by time,
// then receipt, then line) of the same known customer and SKU with enough quantity and amount left. A line that finds none, and
// every line of an anonymous customer, stays a return without a receipt. Receipts must be in the order of time, then number.
func matchReturns(receipts []*Receipt) {
	type key struct{ customer, sku string }
	type sold struct {
		at        Original
		qty, paid int64 // left to return
	}
	sales := map[key][]*sold{}
	for _, r := range receipts {
		if r.Customer == "" {
			continue
		}
		for i := range r.Lines {
			line := &r.Lines[i]
			k := key{r.Customer, line.SKU}
			if !r.Return {
				sales[k] = append(sales[k], &sold{at: Original{Sale: r, Line: line.Line}, qty: line.Qty, paid: line.Paid})
				continue
			}
			earlier := sales[k]
			for j := len(earlier) - 1; j >= 0; j-- {
				if s := earlier[j]; s.qty >= line.Qty && s.paid >= line.Paid {
					s.qty -= line.Qty
					s.paid -= line.Paid
					line.Original = &s.at
					break
				}
			}
		}
	}
}
