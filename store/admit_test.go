package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// receipt is a till's sale as the edge hands it over.
func receipt() Submission {
	return Submission{
		Kind: storeevent.Sale, Receipt: "R000123", Seq: 412, BusinessTime: noon - 60_000, BusinessDate: today, ArrivedAt: noon, ClockOffset: 400,
		Guide: "g-17", Currency: "CNY", Content: []byte("content"),
		Lines: []SubmittedLine{
			{Line: 1, SKU: "85123A", Category: "heart", Brand: "aurora", Qty: 2, UnitPrice: 4900, Discount: 500, Paid: 9300, Tax: 700},
			{Line: 2, SKU: "BANK CHARGES", Brand: "breeze", Qty: 1, UnitPrice: 100, Paid: 100, PointsPaid: 100},
		},
		Tenders: []storeevent.Tender{{Type: "alipay", Amount: 9400, Reference: "2026112022001"}},
	}
}

// refund is a till's return of the receipt's first line.
func refund() Submission {
	s := receipt()
	s.Kind, s.Receipt, s.Seq = storeevent.Return, "R000124", 413
	s.Lines = []SubmittedLine{{Line: 1, SKU: "85123A", Brand: "aurora", Qty: 1, UnitPrice: 4650, Paid: 4650, Original: &OriginalLine{Receipt: "R000123", Line: 1}}}
	return s
}

// order is an online order of aurora that the store s1 serves.
func order() Submission {
	s := receipt()
	s.Receipt, s.Seq, s.ClockOffset = "", 0, 0
	s.Brand, s.Channel, s.OrderNo, s.Store = "aurora", "tmall", "T-1", "s1"
	s.Lines = s.Lines[:1]
	return s
}

func admit(s *shop, terminal string, sub Submission) (*storeevent.Transaction, error) {
	var by *Terminal
	if terminal != "" {
		by = s.terminal(terminal)
	}
	a := s.Admit(context.Background(), by, []Submission{sub})[0]
	return a.Transaction, a.Err
}

func TestAdmitRefuses(t *testing.T) {
	t.Parallel()
	s := open(t).withStores()
	must(t, second(s.CreateBrand(context.Background(), NewBrand{ID: "dollar", Name: "D", Currency: "USD", Timezone: "UTC"})))
	s.store("s3", "dollar", "aurora")
	must(t, second(s.CreateTerminal(context.Background(), "s3", "t9")))
	line := func(f func(*SubmittedLine)) func(*Submission) { return func(s *Submission) { f(&s.Lines[0]) } }
	for name, c := range map[string]struct {
		from        func() Submission
		terminal    string
		change      func(*Submission)
		code, field string
	}{
		"type":                   {receipt, "t1", func(s *Submission) { s.Kind = "void" }, "invalid_type", "type"},
		"receipt":                {receipt, "t1", func(s *Submission) { s.Receipt = "a/b" }, "invalid_number", "receipt"},
		"seq":                    {receipt, "t1", func(s *Submission) { s.Seq = 0 }, "invalid_seq", "seq"},
		"guide":                  {receipt, "t1", func(s *Submission) { s.Guide = "g 17" }, "invalid_id", "guide"},
		"no lines":               {receipt, "t1", func(s *Submission) { s.Lines = nil }, "lines_required", "lines"},
		"too many lines":         {receipt, "t1", func(s *Submission) { s.Lines = make([]SubmittedLine, MaxLines+1) }, "too_many_lines", "lines"},
		"brand":                  {receipt, "t1", line(func(l *SubmittedLine) { l.Brand = "nobody" }), "unknown_brand", "lines[0].brand"},
		"no brand":               {receipt, "t1", line(func(l *SubmittedLine) { l.Brand = "" }), "unknown_brand", "lines[0].brand"},
		"brand of another store": {receipt, "t2", func(*Submission) {}, "brand_not_carried", "lines[1].brand"},
		"currency":               {receipt, "t1", func(s *Submission) { s.Currency = "USD" }, "currency_mismatch", "currency"},
		"two currencies":         {order2, "t9", func(*Submission) {}, "currency_mismatch", "currency"},
		"paid":                   {receipt, "t1", line(func(l *SubmittedLine) { l.Paid++ }), "paid_mismatch", "lines[0].paid"},
		"paid below zero":        {receipt, "t1", line(func(l *SubmittedLine) { l.Discount, l.Paid = 9801, -1 }), "amount_out_of_range", "lines[0].paid"},
		"an amount too large":    {receipt, "t1", line(func(l *SubmittedLine) { l.UnitPrice = MaxAmount + 1 }), "amount_out_of_range", "lines[0].unit_price"},
		"a product too large":    {receipt, "t1", line(func(l *SubmittedLine) { l.Qty, l.UnitPrice, l.Paid = MaxQty, MaxAmount, MaxAmount }), "paid_mismatch", "lines[0].paid"},
		"a sum too large":        {receipt, "t1", line(func(l *SubmittedLine) { l.Qty, l.UnitPrice, l.Discount, l.Paid = 1, MaxAmount, 0, MaxAmount }), "amount_out_of_range", "lines"},
		"quantity":               {receipt, "t1", line(func(l *SubmittedLine) { l.Qty = MaxQty + 1 }), "quantity_out_of_range", "lines[0].qty"},
		"a sale of nothing":      {receipt, "t1", line(func(l *SubmittedLine) { l.Qty = 0 }), "quantity_out_of_range", "lines[0].qty"},
		"tax":                    {receipt, "t1", line(func(l *SubmittedLine) { l.Tax = 9301 }), "tax_exceeds_paid", "lines[0].tax"},
		"points":                 {receipt, "t1", line(func(l *SubmittedLine) { l.PointsPaid = 9301 }), "points_exceed_paid", "lines[0].points_paid"},
		"line number":            {receipt, "t1", line(func(l *SubmittedLine) { l.Line = 0 }), "invalid_line", "lines[0].line"},
		"a line number twice":    {receipt, "t1", line(func(l *SubmittedLine) { l.Line = 2 }), "line_repeated", "lines[1].line"},
		"sku":                    {receipt, "t1", line(func(l *SubmittedLine) { l.SKU = "" }), "invalid_text", "lines[0].sku"},
		"a sku too long":         {receipt, "t1", line(func(l *SubmittedLine) { l.SKU = strings.Repeat("茶", 65) }), "invalid_text", "lines[0].sku"},
		"category":               {receipt, "t1", line(func(l *SubmittedLine) { l.Category = "a\x00b" }), "invalid_text", "lines[0].category"},
		"tender":                 {receipt, "t1", func(s *Submission) { s.Tenders[0].Amount = -1 }, "amount_out_of_range", "tenders[0].amount"},
		"tender's type":          {receipt, "t1", func(s *Submission) { s.Tenders[0].Type = "" }, "invalid_text", "tenders[0].type"},
		"card":                   {receipt, "t1", func(s *Submission) { s.Member = &storeevent.MemberRef{Card: "a b"} }, "invalid_number", "member.card"},
		"member":                 {receipt, "t1", func(s *Submission) { s.Member = &storeevent.MemberRef{ID: "a b"} }, "invalid_id", "member.id"},
		"date":                   {receipt, "t1", func(s *Submission) { s.BusinessDate = "20.11.2026" }, "invalid_date", "business_date"},
		"a date two days off":    {receipt, "t1", func(s *Submission) { s.BusinessDate = "2026-11-22" }, "business_date_mismatch", "business_date"},
		"a time before its time": {receipt, "t1", func(s *Submission) { s.BusinessTime = 0 }, "invalid_business_time", "business_time"},
		"a sale of an original":  {receipt, "t1", line(func(l *SubmittedLine) { l.Original = &OriginalLine{Receipt: "R1", Line: 1} }), "original_on_sale", "lines[0].original"},
		"an original's line":     {refund, "t1", line(func(l *SubmittedLine) { l.Original.Line = 0 }), "invalid_line", "lines[0].original.line"},
		"an original's receipt":  {refund, "t1", line(func(l *SubmittedLine) { l.Original.Receipt, l.Original.Terminal = "", "t2" }), "invalid_number", "lines[0].original.receipt"},
		"an original's terminal": {refund, "t1", line(func(l *SubmittedLine) { l.Original.Terminal = "t99" }), "unknown_terminal", "lines[0].original.terminal"},
		"a receipt and an order": {refund, "t1", line(func(l *SubmittedLine) { l.Original.OrderNo = "T-1" }), "invalid_original", "lines[0].original"},
		"an original of nothing": {refund, "t1", line(func(l *SubmittedLine) { l.Original = &OriginalLine{Line: 1} }), "invalid_original", "lines[0].original"},
		"an original of tills":   {refund, "t1", line(func(l *SubmittedLine) { l.Original = &OriginalLine{Channel: "store", OrderNo: "1", Line: 1} }), "invalid_channel", "lines[0].original.channel"},
		"an original's brand": {refund, "t1", line(func(l *SubmittedLine) {
			l.Original = &OriginalLine{Brand: "breeze", Channel: "tmall", OrderNo: "1", Line: 1}
		}), "brand_mismatch", "lines[0].original.brand"},
		"a refund of nothing":       {refund, "t1", line(func(l *SubmittedLine) { l.Qty, l.UnitPrice, l.Paid = 0, 0, 0 }), "empty_line", "lines[0].paid"},
		"a price without goods":     {refund, "t1", line(func(l *SubmittedLine) { l.Qty = 0 }), "price_without_goods", "lines[0].unit_price"},
		"order's brand":             {order, "", func(s *Submission) { s.Brand = "nobody" }, "unknown_brand", "brand"},
		"order's channel":           {order, "", func(s *Submission) { s.Channel = "store" }, "invalid_channel", "channel"},
		"order number":              {order, "", func(s *Submission) { s.OrderNo = "" }, "invalid_number", "order_no"},
		"order's store":             {order, "", func(s *Submission) { s.Store = "s99" }, "unknown_store", "store"},
		"order's line":              {order, "", func(s *Submission) { s.Lines[0].Brand = "breeze" }, "brand_mismatch", "lines[0].brand"},
		"a refund number of a sale": {order, "", func(s *Submission) { s.RefundNo = "1" }, "refund_no_on_sale", "refund_no"},
		"a refund without a number": {order, "", func(s *Submission) { s.Kind = storeevent.Return }, "invalid_number", "refund_no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sub := c.from()
			c.change(&sub)
			_, err := admit(s, c.terminal, sub)
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || f.Code != c.code || f.Field != c.field {
				t.Errorf("%v, want %s at %s", err, c.code, c.field)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

// order2 is a receipt of two brands with different currencies.
func order2() Submission {
	s := receipt()
	s.Lines[1].Brand = "dollar"
	return s
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	s := open(t).withStores()
	sold, err := admit(s, "t1", receipt())
	must(t, err)
	if sold.EventID != "pos/t1/sale/R000123" || sold.Store != "s1" || sold.Ownership != storeevent.Direct || sold.Channel != "store" ||
		sold.BusinessTime != noon-60_000 || sold.BusinessDate != today || len(sold.Lines) != 2 || sold.Lines[1].PointsPaid != 100 {
		t.Errorf("%+v", sold)
	}
	back := refund()
	back.Lines = append(back.Lines, back.Lines[0], back.Lines[0], back.Lines[0])
	for i := range back.Lines {
		back.Lines[i].Line = i + 1
	}
	back.Lines[1].Original = &OriginalLine{Receipt: "R1", Terminal: "t2", Line: 7}
	back.Lines[2].Original = &OriginalLine{Channel: "tmall", OrderNo: "T-1", Line: 1}
	back.Lines[3].Original = nil
	tx, err := admit(s, "t1", back)
	must(t, err)
	want := []*storeevent.Original{
		{EventID: "pos/t1/sale/R000123", Line: 1}, {EventID: "pos/t2/sale/R1", Line: 7}, {EventID: "order/aurora/tmall/sale/T-1", Line: 1}, nil,
	}
	for i, l := range tx.Lines {
		if (l.Original == nil) != (want[i] == nil) || l.Original != nil && *l.Original != *want[i] {
			t.Errorf("original %d: %+v", i, l.Original)
		}
	}
	bought, err := admit(s, "", order())
	must(t, err)
	if bought.EventID != "order/aurora/tmall/sale/T-1" || bought.Store != "s1" || bought.Terminal != "" || bought.Channel != "tmall" {
		t.Errorf("%+v", bought)
	}
	undo := order()
	undo.Kind, undo.RefundNo = storeevent.Return, "F-1"
	undo.Lines[0].Original = &OriginalLine{Line: 1}
	undone, err := admit(s, "", undo)
	must(t, err)
	if undone.EventID != "order/aurora/tmall/return/T-1/F-1" || undone.Lines[0].Original.EventID != bought.EventID {
		t.Errorf("%+v", undone)
	}
}

// TestCardIsLookedUp says in whose cards, in the order in which the store carries the brands.
func TestCardIsLookedUp(t *testing.T) {
	t.Parallel()
	s := open(t).withStores()
	sub := receipt()
	sub.Member = &storeevent.MemberRef{Card: "S12345"}
	tx, err := admit(s, "t1", sub)
	must(t, err)
	if got := strings.Join(tx.Member.Brands, " "); got != "aurora breeze" {
		t.Errorf("till: %s", got)
	}
	sub = order()
	sub.Member = &storeevent.MemberRef{Card: "S12345"}
	tx, err = admit(s, "", sub)
	must(t, err)
	if got := strings.Join(tx.Member.Brands, " "); got != "aurora" {
		t.Errorf("order: %s", got)
	}
}

func TestBusinessTime(t *testing.T) {
	t.Parallel()
	s := open(t).withStores()
	change := StoreChange{DayStarts: ptr("04:00")}
	must(t, second(s.ChangeStore(context.Background(), "s1", change)))
	for name, c := range map[string]struct {
		till, arrived when.Instant
		offset        int64
		date, want    when.Date
		at            when.Instant
		ahead         int64
	}{
		"as it is":                   {noon, noon + 900, 900, "", today, noon, 0},
		"a clock five seconds off":   {noon, noon + 5000, 5000, "", today, noon, 0},
		"a slow clock is corrected":  {noon, noon + 20_000, 5001, "", today, noon + 5001, 0},
		"a fast clock is corrected":  {noon, noon, -100_000, "", today, noon - 100_000, 0},
		"never after the arrival":    {noon + 1000, noon, 0, "", today, noon, 1000},
		"far ahead":                  {noon + 400_000, noon, 0, "", today, noon, 400_000},
		"corrected, still ahead":     {noon, noon, 301_000, "", today, noon, 301_000},
		"after midnight":             {at("2026-11-20 01:30:00"), noon, 0, "", "2026-11-19", at("2026-11-20 01:30:00"), 0},
		"when the day starts":        {at("2026-11-20 04:00:00"), noon, 0, "", today, at("2026-11-20 04:00:00"), 0},
		"the till's date stands":     {noon, noon, 0, "2026-11-19", "2026-11-19", noon, 0},
		"tomorrow's, too":            {noon, noon, 0, "2026-11-21", "2026-11-21", noon, 0},
		"corrected into another day": {at("2026-11-20 03:59:58"), noon, 6000, "", today, at("2026-11-20 04:00:04"), 0},
	} {
		sub := receipt()
		sub.BusinessTime, sub.ArrivedAt, sub.ClockOffset, sub.BusinessDate = c.till, c.arrived, c.offset, c.date
		tx, err := admit(s, "t1", sub)
		if err != nil || tx.BusinessTime != c.at || tx.BusinessDate != c.want || tx.AheadMillis != c.ahead || tx.ClockOffset != c.offset {
			t.Errorf("%s: %+v %v", name, tx, err)
		}
	}
	// An order's date is the brand's, whatever the store that serves it.
	sub := order()
	sub.BusinessTime, sub.BusinessDate = at("2026-11-20 01:30:00"), ""
	tx, err := admit(s, "", sub)
	if err != nil || tx.BusinessDate != today {
		t.Errorf("order: %+v %v", tx, err)
	}
}

func ptr[T any](v T) *T { return &v }

// TestTermsAsOf: what an amount depends on is that of the business time, however late the transaction comes.
func TestTermsAsOf(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	s := open(t).withStores()
	must(t, s.CreateDealer(ctx, Dealer{ID: "d1", Name: "D"}))
	// Nothing depends on the store yet: the change holds since ever.
	must(t, second(s.ChangeStore(ctx, "s1", StoreChange{Ownership: ptr(storeevent.Franchise)})))
	must(t, second(admit(s, "t1", receipt())))
	// From the first transaction on it holds from now on.
	s.time.now.Store(int64(noon.Add(time.Hour)))
	must(t, second(s.ChangeStore(ctx, "s1", StoreChange{
		Ownership: ptr(storeevent.ByDealer), Dealer: ptr("d1"), Timezone: ptr("Asia/Tokyo"), Brands: &[]CarriedBrand{{Brand: "aurora"}},
	})))
	for _, c := range []struct {
		at                when.Instant
		ownership, dealer string
		date              when.Date
	}{
		{noon, storeevent.Franchise, "", today},
		{at("2026-11-20 23:30:00"), storeevent.ByDealer, "d1", "2026-11-21"}, // in Tokyo
	} {
		sub := receipt()
		sub.BusinessTime, sub.ArrivedAt, sub.BusinessDate = c.at, at("2026-11-21 12:00:00"), ""
		sub.Lines = sub.Lines[:1]
		tx, err := admit(s, "t1", sub)
		if err != nil || tx.Ownership != c.ownership || tx.Dealer != c.dealer || tx.BusinessDate != c.date {
			t.Errorf("%s: %+v %v", c.at, tx, err)
		}
	}
	// What the store carried then can still come in late; what it no longer carried cannot.
	must(t, second(admit(s, "t1", receipt())))
	late := receipt()
	late.BusinessTime, late.ArrivedAt = noon.Add(2*time.Hour), noon.Add(3*time.Hour)
	if _, err := admit(s, "t1", late); fault.CodeOf(err) != "brand_not_carried" {
		t.Errorf("sold after it left the range: %v", err)
	}
}

// TestFirstAccepted is noted before Admit answers, once, for the brands of what is admitted only, and is told.
func TestFirstAccepted(t *testing.T) {
	t.Parallel()
	s := open(t).withStores()
	var told []storeevent.Brand
	s.OnChanged(func(c storeevent.Changed) { told = append(told, c.Brands...) })
	bad := receipt()
	bad.Lines[0].Paid++
	if _, err := admit(s, "t1", bad); err == nil {
		t.Fatal("admitted")
	}
	one := receipt()
	one.Lines = one.Lines[:1]
	must(t, second(admit(s, "t1", one)))
	s.time.now.Store(int64(noon + 5))
	must(t, second(admit(s, "t1", one)))
	accepted := func() (times []when.Instant) {
		for _, id := range []string{"aurora", "breeze"} {
			b, err := s.Brand(context.Background(), id)
			must(t, err)
			times = append(times, b.FirstAccepted)
		}
		return times
	}
	if got := accepted(); got[0] != noon || got[1] != 0 {
		t.Errorf("first accepted %v", got)
	}
	if len(told) != 1 || told[0].ID != "aurora" || told[0].FirstAccepted != noon {
		t.Errorf("told %+v", told)
	}
	must(t, second(admit(s, "t1", receipt())))
	if got := accepted(); got[0] != noon || got[1] != noon+5 {
		t.Errorf("first accepted %v", got)
	}
	// It is stored, and from now on currency and time zone stay.
	again := openOn(t, s.db)
	if b, err := again.Brand(context.Background(), "breeze"); err != nil || b.FirstAccepted != noon+5 {
		t.Errorf("stored %+v %v", b, err)
	}
	if _, err := again.ChangeBrand(context.Background(), "breeze", BrandChange{Currency: ptr("USD")}); fault.CodeOf(err) != "brand_in_use" {
		t.Errorf("currency changed: %v", err)
	}
}

// TestAdmitNeverPanics: whatever comes in, the answer is a transaction that the verdict does not reject, or a fault with a field.
func TestAdmitNeverPanics(t *testing.T) {
	t.Parallel()
	s := open(t).withStores()
	amount := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-5, 20), rapid.SampledFrom([]int64{MaxAmount, MaxAmount + 1, MaxQty, MaxQty + 1}))
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "t1", "aurora", "breeze", "R1", "tmall", "CNY", "sale", "return"}))
	rapid.Check(t, func(rt *rapid.T) {
		sub := Submission{
			Kind: text.Draw(rt, "kind"), Receipt: text.Draw(rt, "receipt"), Seq: amount.Draw(rt, "seq"), Brand: text.Draw(rt, "brand"),
			Channel: text.Draw(rt, "channel"), OrderNo: text.Draw(rt, "order"), RefundNo: text.Draw(rt, "refund"),
			BusinessTime: when.Instant(rapid.Int64Range(0, 4e12).Draw(rt, "time")), BusinessDate: when.Date(text.Draw(rt, "date")),
			ArrivedAt: noon, ClockOffset: rapid.Int64Range(-400_000, 400_000).Draw(rt, "offset"), Currency: text.Draw(rt, "currency"),
		}
		for range rapid.IntRange(0, 4).Draw(rt, "lines") {
			l := SubmittedLine{
				Line: int(amount.Draw(rt, "line")), SKU: text.Draw(rt, "sku"), Brand: text.Draw(rt, "line's brand"), Qty: amount.Draw(rt, "qty"),
				UnitPrice: amount.Draw(rt, "price"), Discount: amount.Draw(rt, "discount"), Tax: amount.Draw(rt, "tax"),
			}
			l.Paid = l.Qty*l.UnitPrice - l.Discount
			if rapid.Bool().Draw(rt, "original") {
				l.Original = &OriginalLine{Receipt: text.Draw(rt, "of"), Terminal: text.Draw(rt, "at"), Channel: text.Draw(rt, "on"), Line: 1}
			}
			sub.Lines = append(sub.Lines, l)
		}
		terminal := rapid.SampledFrom([]string{"", "t1"}).Draw(rt, "terminal")
		tx, err := admit(s, terminal, sub)
		var f *fault.Error
		switch {
		case err == nil && flaw(tx) != "":
			rt.Errorf("admitted what is %s: %+v", flaw(tx), tx)
		case err != nil && (!errors.As(err, &f) || f.Field == ""):
			rt.Errorf("refused without a field: %v", err)
		}
	})
}
