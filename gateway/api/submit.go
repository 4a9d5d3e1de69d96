package api

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/phone"
	"scrm/gateway/kit/when"
	"scrm/store"
	"scrm/store/storeevent"
)

// MaxBatch is how many transactions one request may carry.
const MaxBatch = 500

// transaction is a POS transaction or online order as clients send it; which fields belong to which, the store domain says.
type transaction struct {
	Receipt      string                `json:"receipt,omitempty" doc:"POS: the receipt's number"`
	Seq          int64                 `json:"seq,omitempty" doc:"POS: the terminal's own running number, from 1"`
	Brand        string                `json:"brand,omitempty" doc:"orders: the brand; the user's unless named"`
	Channel      string                `json:"channel,omitempty" doc:"orders: tmall, mini_program, cloud_store …"`
	OrderNo      string                `json:"order_no,omitempty" doc:"orders: the order's number"`
	RefundNo     string                `json:"refund_no,omitempty" doc:"orders: the refund's number, of a return"`
	Store        string                `json:"store,omitempty" doc:"orders: the store that serves it"`
	Type         string                `json:"type" enum:"sale,return"`
	BusinessTime string                `json:"business_time" format:"date-time"`
	BusinessDate string                `json:"business_date,omitempty" format:"date" doc:"at most a day from that of business_time; derived unless sent"`
	Member       *buyer                `json:"member,omitempty" doc:"absent: anonymous"`
	Guide        string                `json:"guide,omitempty" doc:"the selling guide"`
	Currency     string                `json:"currency" example:"CNY"`
	Lines        []store.SubmittedLine `json:"lines" nullable:"false"`
	Tenders      []storeevent.Tender   `json:"tenders,omitempty"`
}

// buyer names the member, by one of its fields.
type buyer struct {
	Phone string `json:"phone,omitempty"`
	Code  string `json:"code,omitempty" doc:"the member code shown at the till"`
	Card  string `json:"card,omitempty" doc:"a card's number or external id"`
	ID    string `json:"id,omitempty"`
}

// oneOrMany is the body of both intake operations: one transaction, or a list of them.
type oneOrMany struct {
	transaction
	Transactions []transaction `json:"transactions"`
}

// listBegins is how bodies with a list begin; one that does not is read as well, only with more copying.
var listBegins = []byte(`{"transactions":[`)

// minTransaction is about the size of the shortest transaction in bytes.
const minTransaction = 256

var (
	errNoTransactions = fault.New(fault.Invalid, "transactions_required", "a list has at least one transaction").At("transactions")
	errManyToo        = fault.New(fault.Invalid, "too_many_transactions", "a request carries at most %d transactions", MaxBatch).At("transactions")
	errTime           = fault.New(fault.Invalid, "wrong_format", "a time is RFC 3339 with offset, such as 2026-11-20T10:31:05+08:00").At("business_time")
	errBuyer          = fault.New(fault.Invalid, "member_ambiguous", "a member is named by one of phone, code, card and id").At("member")
)

// decodeTransactions reads a request's body. errs has, by position, what is wrong with an item of a list, so that one bad item spoils
// no other; err is about the body as a whole.
func decodeTransactions(body []byte) (in []transaction, errs []error, batch bool, err error) {
	var both oneOrMany
	if bytes.HasPrefix(body, listBegins) {
		both.Transactions = make([]transaction, 0, min(len(body)/minTransaction+1, MaxBatch))
	}
	if err := decodeJSON(body, &both, strict); err != nil {
		return decodeEach(body, err)
	}
	if both.Transactions == nil {
		return []transaction{both.transaction}, make([]error, 1), false, nil
	}
	n := len(both.Transactions)
	return both.Transactions, make([]error, n), true, checkCount(n)
}

// decodeEach reads a body again of which whole is wrong: if it is a list, item by item.
func decodeEach(body []byte, whole error) (in []transaction, errs []error, batch bool, err error) {
	var list struct {
		Transactions []jsontext.Value `json:"transactions"`
	}
	// A name that stands twice in an item is that item's fault too.
	if err := decodeJSON(body, &list, strict, jsontext.AllowDuplicateNames(true)); err != nil || list.Transactions == nil {
		return nil, nil, false, whole
	}
	if err := checkCount(len(list.Transactions)); err != nil {
		return nil, nil, true, err
	}
	in, errs = make([]transaction, len(list.Transactions)), make([]error, len(list.Transactions))
	for i, raw := range list.Transactions {
		errs[i] = decodeJSON(raw, &in[i], strict)
	}
	return in, errs, true, nil
}

func checkCount(n int) error {
	switch {
	case n == 0:
		return errNoTransactions
	case n > MaxBatch:
		return errManyToo
	}
	return nil
}

// submission makes of a transaction what the store domain takes. terminal is the till's id, empty for an order, whose brand is
// filled in already. What identifies the member stays in the transaction: identify replaces it.
func (t *transaction) submission(terminal string) (store.Submission, error) {
	at, err := time.Parse(time.RFC3339, t.BusinessTime)
	if err != nil {
		return store.Submission{}, errTime
	}
	if terminal != "" {
		if field := t.orderField(); field != "" {
			return store.Submission{}, errUnknown.At(field)
		}
	} else if t.Receipt != "" || t.Seq != 0 {
		return store.Submission{}, errUnknown.At("receipt")
	}
	for i := range t.Lines {
		t.normalise(&t.Lines[i], terminal)
	}
	return store.Submission{
		Kind: t.Type, Receipt: t.Receipt, Seq: t.Seq,
		Brand: t.Brand, Channel: t.Channel, OrderNo: t.OrderNo, RefundNo: t.RefundNo, Store: t.Store,
		BusinessTime: when.Of(at), BusinessDate: when.Date(t.BusinessDate),
		Guide: t.Guide, Currency: t.Currency, Lines: t.Lines, Tenders: t.Tenders,
	}, nil
}

// orderField is the first field of an order that is set.
func (t *transaction) orderField() string {
	for _, f := range [...]struct{ name, value string }{
		{"brand", t.Brand}, {"channel", t.Channel}, {"order_no", t.OrderNo}, {"refund_no", t.RefundNo}, {"store", t.Store},
	} {
		if f.value != "" {
			return f.name
		}
	}
	return ""
}

// normalise fills in what a line may leave out, so that the same content is the same however it was written.
func (t *transaction) normalise(l *store.SubmittedLine, terminal string) {
	if l.Brand == "" {
		l.Brand = t.Brand
	}
	o := l.Original
	if o == nil {
		return
	}
	switch {
	case terminal != "" && o.Receipt != "" && o.Terminal == "":
		o.Terminal = terminal
	case terminal == "" && o.Receipt == "":
		if o.Channel == "" {
			o.Channel = t.Channel
		}
		if o.OrderNo == "" {
			o.OrderNo = t.OrderNo
		}
	}
}

// check answers fault.Invalid unless exactly one field is set, and turns the phone number into E.164 form.
func (b *buyer) check() error {
	set := 0
	for _, v := range [...]string{b.Phone, b.Code, b.Card, b.ID} {
		if v != "" {
			set++
		}
	}
	if set != 1 {
		return errBuyer
	}
	if number, err := phone.Parse(b.Card); err == nil {
		// Many tills take the phone number for the card's: it must not travel readable.
		b.Phone, b.Card = number, ""
		return nil
	}
	if b.Phone == "" {
		return nil
	}
	number, err := phone.Parse(b.Phone)
	if err != nil {
		return at("member.phone", err)
	}
	b.Phone = number
	return nil
}

// appendContent writes what makes two deliveries under one event id the same transaction: everything that the client sent but the
// moment of sending, normalised, each part with its length.
func appendContent(b []byte, s *store.Submission, m *buyer) []byte {
	b = appendTexts(b, s.Kind, s.Receipt, s.Brand, s.Channel, s.OrderNo, s.RefundNo, s.Store, string(s.BusinessDate), s.Guide, s.Currency)
	b = appendNumbers(b, s.Seq, int64(s.BusinessTime))
	if b = appendPresence(b, m != nil); m != nil {
		b = appendTexts(b, m.Phone, m.Code, m.Card, m.ID)
	}
	b = appendNumbers(b, int64(len(s.Lines)), int64(len(s.Tenders)))
	for i := range s.Lines {
		l := &s.Lines[i]
		b = appendTexts(b, l.SKU, l.Category, l.Brand)
		b = appendNumbers(b, int64(l.Line), l.Qty, l.UnitPrice, l.Discount, l.Paid, l.Tax, l.PointsPaid)
		o := l.Original
		if b = appendPresence(b, o != nil); o != nil {
			b = appendTexts(b, o.Receipt, o.Terminal, o.Brand, o.Channel, o.OrderNo)
			b = appendNumbers(b, int64(o.Line))
		}
	}
	for i := range s.Tenders {
		b = appendTexts(b, s.Tenders[i].Type, s.Tenders[i].Reference)
		b = appendNumbers(b, s.Tenders[i].Amount)
	}
	return b
}

func appendTexts(b []byte, texts ...string) []byte {
	for _, t := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return b
}

func appendPresence(b []byte, there bool) []byte {
	if there {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendNumbers(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.AppendVarint(b, n)
	}
	return b
}
