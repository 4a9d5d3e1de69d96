package store

import (
	"slices"
	"strings"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// setting is the set-up that a submission is checked against.
type setting struct {
	terminal  *Terminal // nil: an online order
	place     *place    // the till's store, or the one that serves the order; nil: none
	brands    map[string]*brand
	terminals map[string]bool // other terminals that originals name, and whether they exist
}

// earliest is the first business time that is believed: a till whose clock says less has lost its battery.
var earliest = when.Of(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))

// check is the edge's check of a submission: what the request and the set-up show is refused here, with the field at fault, and
// everything else is left to the verdict. It answers the transaction as INTAKE takes it.
func check(sub *Submission, env *setting) (*storeevent.Transaction, error) {
	if sub.Kind != storeevent.Sale && sub.Kind != storeevent.Return {
		return nil, fault.New(fault.Invalid, "invalid_type", "the type is sale or return").At("type")
	}
	tx := &storeevent.Transaction{
		Kind: sub.Kind, Channel: storeevent.ChannelStore, Content: sub.Content, ArrivedAt: sub.ArrivedAt,
		ClockOffset: sub.ClockOffset, Guide: sub.Guide, Currency: sub.Currency, Tenders: sub.Tenders,
	}
	identify := identifyOrder
	if env.terminal != nil {
		identify = identifyReceipt
	}
	if err := identify(tx, sub, env); err != nil {
		return nil, err
	}
	if err := date(tx, sub, env); err != nil {
		return nil, err
	}
	if env.place != nil {
		at := env.place.at(tx.BusinessTime)
		tx.Store, tx.Ownership, tx.Dealer = env.place.fact.ID, at.ownership, at.dealer
	}
	if err := takeLines(tx, sub, env); err != nil {
		return nil, err
	}
	if err := checkLines(tx.Kind, tx.Lines); err != nil {
		return nil, err
	}
	if err := checkTenders(tx.Tenders); err != nil {
		return nil, err
	}
	if tx.Guide != "" {
		if err := ident.Check("guide", tx.Guide); err != nil {
			return nil, err
		}
	}
	var err error
	tx.Member, err = refer(sub.Member, tx, env)
	return tx, err
}

// identifyReceipt gives a till's transaction its event id.
func identifyReceipt(tx *storeevent.Transaction, sub *Submission, env *setting) error {
	if err := ident.CheckNumber("receipt", sub.Receipt); err != nil {
		return err
	}
	if sub.Seq < 1 || sub.Seq > MaxSeq {
		return fault.New(fault.Invalid, "invalid_seq", "seq is the terminal's running number, from 1").At("seq")
	}
	tx.Terminal, tx.Receipt, tx.Seq = env.terminal.ID, sub.Receipt, sub.Seq
	tx.EventID = POSEventID(tx.Terminal, tx.Kind, tx.Receipt)
	return nil
}

// identifyOrder gives an online order or a refund of one its event id.
func identifyOrder(tx *storeevent.Transaction, sub *Submission, env *setting) error {
	if env.brands[sub.Brand] == nil {
		return errBrand.At("brand")
	}
	if err := checkChannel(sub.Channel); err != nil {
		return err
	}
	if err := ident.CheckNumber("order_no", sub.OrderNo); err != nil {
		return err
	}
	switch {
	case tx.Kind == storeevent.Return:
		if err := ident.CheckNumber("refund_no", sub.RefundNo); err != nil {
			return err
		}
	case sub.RefundNo != "":
		return fault.New(fault.Invalid, "refund_no_on_sale", "only a return has a refund number").At("refund_no")
	}
	tx.Brand, tx.Channel, tx.OrderNo, tx.RefundNo = sub.Brand, sub.Channel, sub.OrderNo, sub.RefundNo
	tx.EventID = OrderEventID(tx.Brand, tx.Channel, tx.Kind, tx.OrderNo, tx.RefundNo)
	return nil
}

// date corrects the business time by the clock's offset where that exceeds the tolerance, caps it at the arrival, and derives the
// business date from it: the store's for a till, the brand's for an order. A date that was sent may differ by a day at most.
func date(tx *storeevent.Transaction, sub *Submission, env *setting) error {
	tx.BusinessTime = sub.BusinessTime
	if sub.ClockOffset > ClockTolerance || sub.ClockOffset < -ClockTolerance {
		tx.BusinessTime += when.Instant(sub.ClockOffset)
	}
	if tx.BusinessTime > sub.ArrivedAt {
		tx.AheadMillis = int64(tx.BusinessTime - sub.ArrivedAt)
		tx.BusinessTime = sub.ArrivedAt
	}
	if tx.BusinessTime < earliest {
		return fault.New(fault.Invalid, "invalid_business_time", "a business time is not before 2000").At("business_time")
	}
	derived := deriveDate(tx, env)
	if sub.BusinessDate == "" {
		tx.BusinessDate = derived
		return nil
	}
	given, err := when.ParseDate(string(sub.BusinessDate))
	if err != nil {
		return fault.New(fault.Invalid, "invalid_date", "a date is YYYY-MM-DD").At("business_date")
	}
	if days := given.DaysSince(derived); days < -1 || days > 1 {
		return fault.New(fault.Invalid, "business_date_mismatch", "the business date is a day at most from that of the business time").At("business_date")
	}
	tx.BusinessDate = given
	return nil
}

func deriveDate(tx *storeevent.Transaction, env *setting) when.Date {
	if env.terminal == nil {
		return when.DateIn(tx.BusinessTime, env.brands[tx.Brand].zone, 0)
	}
	at := env.place.at(tx.BusinessTime)
	return when.DateIn(tx.BusinessTime, at.zone, at.dayStarts)
}

// takeLines takes the lines over: their brands must be known, carried by the store at the business time or now, an order's own, and of
// the transaction's currency.
func takeLines(tx *storeevent.Transaction, sub *Submission, env *setting) error {
	if len(sub.Lines) == 0 {
		return fault.New(fault.Invalid, "lines_required", "a transaction has at least one line").At("lines")
	}
	if len(sub.Lines) > MaxLines {
		return fault.New(fault.Invalid, "too_many_lines", "a transaction has at most %d lines", MaxLines).At("lines")
	}
	tx.Lines = make([]storeevent.Line, len(sub.Lines))
	for i := range sub.Lines {
		in, out := &sub.Lines[i], &tx.Lines[i]
		*out = storeevent.Line{
			Line: in.Line, SKU: in.SKU, Category: in.Category, Brand: in.Brand, Qty: in.Qty, UnitPrice: in.UnitPrice, Discount: in.Discount,
			Paid: in.Paid, Tax: in.Tax, PointsPaid: in.PointsPaid,
		}
		if out.Brand == "" {
			out.Brand = tx.Brand
		}
		if i == 0 || out.Brand != tx.Lines[i-1].Brand {
			if err := checkBrand(tx, i, env); err != nil {
				return err
			}
		}
		if in.Original == nil {
			continue
		}
		original, err := refersTo(tx, out.Brand, in.Original, env)
		if err != nil {
			return within(indexed("lines", i, "original"), err)
		}
		out.Original = original
	}
	return nil
}

func checkBrand(tx *storeevent.Transaction, line int, env *setting) error {
	id := tx.Lines[line].Brand
	b, field := env.brands[id], indexed("lines", line, "brand")
	switch {
	case b == nil:
		return errBrand.At(field)
	case tx.Brand != "" && id != tx.Brand:
		return fault.New(fault.Invalid, "brand_mismatch", "an order's lines are of its brand").At(field)
	case env.place != nil && !env.place.carries(id, tx.BusinessTime):
		return fault.New(fault.Invalid, "brand_not_carried", "the store does not carry this brand").At(field)
	case b.Currency != tx.Currency:
		return fault.New(fault.Invalid, "currency_mismatch", "the currency is not that of the lines' brands").At("currency")
	}
	return nil
}

// carries reports whether the store carried the brand at a time, or does so by now: set-up may come after the first sale.
func (p *place) carries(brand string, t when.Instant) bool {
	if _, now := p.fact.Brands[brand]; now {
		return true
	}
	return slices.Contains(p.at(t).brands, brand)
}

// refersTo turns what a return's line names into the sale's event id and line.
func refersTo(tx *storeevent.Transaction, brand string, o *OriginalLine, env *setting) (*storeevent.Original, error) {
	if tx.Kind != storeevent.Return {
		return nil, fault.New(fault.Invalid, "original_on_sale", "only a return takes something back")
	}
	if o.Line < 1 || o.Line > maxLineNo {
		return nil, errLineNo.At("line")
	}
	if o.Receipt != "" || o.Terminal != "" {
		return refersToReceipt(tx, o, env)
	}
	channel, orderNo := o.Channel, o.OrderNo
	if tx.Terminal == "" {
		channel, orderNo = or(channel, tx.Channel), or(orderNo, tx.OrderNo)
	}
	switch {
	case o.Brand != "" && o.Brand != brand:
		return nil, fault.New(fault.Invalid, "brand_mismatch", "the original is of the line's brand").At("brand")
	case channel == "" && orderNo == "":
		return nil, errOriginal
	}
	if err := checkChannel(channel); err != nil {
		return nil, err
	}
	if err := ident.CheckNumber("order_no", orderNo); err != nil {
		return nil, err
	}
	return &storeevent.Original{EventID: OrderEventID(brand, channel, storeevent.Sale, orderNo, ""), Line: o.Line}, nil
}

func refersToReceipt(tx *storeevent.Transaction, o *OriginalLine, env *setting) (*storeevent.Original, error) {
	if o.Channel != "" || o.OrderNo != "" {
		return nil, errOriginal
	}
	if err := ident.CheckNumber("receipt", o.Receipt); err != nil {
		return nil, err
	}
	terminal := or(o.Terminal, tx.Terminal)
	if terminal == "" || terminal != tx.Terminal && !env.terminals[terminal] {
		return nil, fault.New(fault.Invalid, "unknown_terminal", "there is no such terminal").At("terminal")
	}
	return &storeevent.Original{EventID: POSEventID(terminal, storeevent.Sale, o.Receipt), Line: o.Line}, nil
}

var errOriginal = fault.New(fault.Invalid, "invalid_original", "an original names a receipt, or a channel and an order number")

// checkChannel validates an online channel. The tills' own is not one.
func checkChannel(channel string) error {
	if channel == storeevent.ChannelStore {
		return fault.New(fault.Invalid, "invalid_channel", "%s is the channel of tills, not of orders", storeevent.ChannelStore).At("channel")
	}
	return ident.Check("channel", channel)
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// refer completes the reference to a member: a card is looked up among the brands that the store carried at the business time, or
// of the order.
func refer(ref *storeevent.MemberRef, tx *storeevent.Transaction, env *setting) (*storeevent.MemberRef, error) {
	switch {
	case ref == nil:
		return nil, nil
	case ref.ID != "":
		return ref, ident.Check("member.id", ref.ID)
	case ref.Card == "":
		return ref, nil
	}
	complete := *ref
	complete.Brands = []string{tx.Brand}
	if tx.Brand == "" {
		complete.Brands = env.place.at(tx.BusinessTime).brands
	}
	return &complete, ident.CheckNumber("member.card", ref.Card)
}

// checkLines checks what holds of a transaction's lines whatever else there is: amounts within bounds that add up, lines numbered
// once, quantities that suit the kind. The verdict checks it again.
func checkLines(kind string, lines []storeevent.Line) error {
	var sum int64
	ascending := true // as tills number them; else every number is remembered
	for i := range lines {
		if err := checkLine(kind, &lines[i]); err != nil {
			return within(indexed("lines", i, ""), err)
		}
		if sum += lines[i].Paid; sum > MaxAmount {
			return errAmount.At("lines")
		}
		ascending = ascending && (i == 0 || lines[i].Line > lines[i-1].Line)
	}
	if ascending {
		return nil
	}
	seen := make(map[int]bool, len(lines))
	for i := range lines {
		if seen[lines[i].Line] {
			return fault.New(fault.Invalid, "line_repeated", "each line has a number of its own").At(indexed("lines", i, "line"))
		}
		seen[lines[i].Line] = true
	}
	return nil
}

var (
	errAmount = fault.New(fault.Invalid, "amount_out_of_range", "an amount is 0 to %d minor units", int64(MaxAmount))
	errQty    = fault.New(fault.Invalid, "quantity_out_of_range", "a quantity is 1 to %d; 0 only in a refund without goods", MaxQty)
	errLineNo = fault.New(fault.Invalid, "invalid_line", "a line's number is 1 to %d", maxLineNo)
)

func checkLine(kind string, l *storeevent.Line) error {
	if l.Line < 1 || l.Line > maxLineNo {
		return errLineNo.At("line")
	}
	if err := checkCode("sku", l.SKU, 1); err != nil {
		return err
	}
	if err := checkCode("category", l.Category, 0); err != nil {
		return err
	}
	for _, a := range [...]struct {
		field  string
		amount int64
	}{{"unit_price", l.UnitPrice}, {"discount", l.Discount}, {"paid", l.Paid}, {"tax", l.Tax}, {"points_paid", l.PointsPaid}} {
		if a.amount < 0 || a.amount > MaxAmount {
			return errAmount.At(a.field)
		}
	}
	switch {
	case kind == storeevent.Sale && l.Original != nil:
		return fault.New(fault.Invalid, "original_on_sale", "only a return takes something back").At("original")
	case l.Qty < 0 || l.Qty > MaxQty || l.Qty == 0 && kind != storeevent.Return:
		return errQty.At("qty")
	case l.Qty == 0 && (l.UnitPrice != 0 || l.Discount != 0):
		return fault.New(fault.Invalid, "price_without_goods", "a refund without goods has neither unit price nor discount").At("unit_price")
	case l.Qty == 0 && l.Paid == 0:
		return fault.New(fault.Invalid, "empty_line", "a line has a quantity or an amount").At("paid")
	case l.Qty > 0 && l.Paid != l.Qty*l.UnitPrice-l.Discount:
		return fault.New(fault.Invalid, "paid_mismatch", "paid is qty × unit_price − discount").At("paid")
	case l.Tax > l.Paid:
		return fault.New(fault.Invalid, "tax_exceeds_paid", "the tax is part of what was paid").At("tax")
	case l.PointsPaid > l.Paid:
		return fault.New(fault.Invalid, "points_exceed_paid", "points cover at most what was paid").At("points_paid")
	}
	return nil
}

// checkCode validates a code of the client's own systems (SKU, category, tender): up to 64 printable characters. The usual ones are
// ASCII.
func checkCode(field, code string, least int) error {
	if least <= len(code) && len(code) <= maxTextRunes && !strings.ContainsFunc(code, notASCII) {
		return nil
	}
	return checkText(field, code, least, maxTextRunes)
}

func notASCII(r rune) bool { return r < ' ' || r > '~' }

func checkTenders(tenders []storeevent.Tender) error {
	if len(tenders) > maxTenders {
		return fault.New(fault.Invalid, "too_many_tenders", "a transaction has at most %d tenders", maxTenders).At("tenders")
	}
	for i, t := range tenders {
		if t.Amount < 0 || t.Amount > MaxAmount {
			return errAmount.At(indexed("tenders", i, "amount"))
		}
		if err := checkCode("type", t.Type, 1); err != nil {
			return within(indexed("tenders", i, ""), err)
		}
		if err := checkCode("reference", t.Reference, 0); err != nil {
			return within(indexed("tenders", i, ""), err)
		}
	}
	return nil
}
