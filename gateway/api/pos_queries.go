package api

import (
	"context"
	"net/http"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/store"
	"scrm/store/storeevent"
)

func (s *Server) registerPOSQueries() {
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/pos/transactions", ID: "get-outcome", Tag: "POS", Summary: "What became of a transaction or order",
		Access: signedInOrSigned,
	}, s.getOutcome)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/pos/receipts/{receipt}", ID: "get-receipt", Tag: "POS", Summary: "A sale, and what of it can still be returned",
		Description: "Another shop's receipts show the lines of brands that this store carries.", Access: terminal,
	}, s.getReceipt)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/pos/gaps", ID: "get-gaps", Tag: "POS", Summary: "Sequences that have not come from this terminal", Access: terminal,
	}, s.getGaps)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/pos/z-reports", ID: "send-z-report", Tag: "POS", Summary: "Compare a till's day with what was counted",
		Description: "Sales and returns are amounts. 202 where not everything is decided in time: ask again.", Access: terminal,
	}, s.sendZReport)
}

type outcomeQuery struct {
	EventID string `query:"event_id" required:"true" maxLength:"400"`
}

var errUnknownTransaction = fault.New(fault.NotFound, "unknown_transaction", "no such transaction is decided, or it is not yours to see")

func (s *Server) getOutcome(ctx context.Context, in *outcomeQuery) (*reply[outcomeView], error) {
	decided, views, _, err := s.outcomes(ctx, []string{in.EventID})
	if err != nil {
		return nil, err
	}
	o, known := decided[in.EventID]
	if !known {
		return nil, errUnknownTransaction
	}
	sees, err := s.seesOutcome(ctx, o)
	if err != nil {
		return nil, err
	}
	if !sees {
		return nil, errUnknownTransaction
	}
	return answer(views[in.EventID]), nil
}

// seesOutcome reports whether a transaction lies in the caller's scope: a terminal sees its store's, a user what happened in stores
// that they see, or under their brand's orders.
func (s *Server) seesOutcome(ctx context.Context, o store.Outcome) (bool, error) {
	if o.Brand != "" || o.Store == "" {
		return s.within(ctx, Scope{Brand: o.Brand, Store: o.Store})
	}
	if p := caller(ctx); p.IsTerminal() {
		return p.Store == o.Store, nil
	}
	st, err := s.Services.Store.Store(ctx, o.Store)
	if err != nil {
		return false, err
	}
	return s.seesStore(ctx, st)
}

type receiptQuery struct {
	Receipt  string `path:"receipt"`
	Terminal string `query:"terminal" doc:"whose receipt; this terminal's unless said"`
}

type receiptView struct {
	EventID      string            `json:"event_id"`
	Terminal     string            `json:"terminal"`
	Store        string            `json:"store"`
	Receipt      string            `json:"receipt"`
	Status       string            `json:"status"`
	BusinessTime time.Time         `json:"business_time"`
	BusinessDate when.Date         `json:"business_date"`
	Currency     string            `json:"currency"`
	Lines        []receiptLineView `json:"lines" nullable:"false"`
}

type receiptLineView struct {
	Line           int    `json:"line"`
	SKU            string `json:"sku"`
	Category       string `json:"category,omitempty"`
	Brand          string `json:"brand"`
	Qty            int64  `json:"qty"`
	UnitPrice      int64  `json:"unit_price"`
	Discount       int64  `json:"discount"`
	Paid           int64  `json:"paid"`
	Tax            int64  `json:"tax"`
	PointsPaid     int64  `json:"points_paid"`
	ReturnableQty  int64  `json:"returnable_qty"`
	ReturnablePaid int64  `json:"returnable_paid" doc:"minor units"`
}

func (s *Server) getReceipt(ctx context.Context, in *receiptQuery) (*reply[receiptView], error) {
	till := caller(ctx).terminal
	if in.Terminal == "" {
		in.Terminal = till.ID
	}
	r, err := s.Services.Store.Receipt(ctx, till, in.Terminal, in.Receipt)
	if err != nil {
		return nil, err
	}
	v := receiptView{
		EventID: r.EventID, Terminal: r.Terminal, Store: r.Store, Receipt: r.Receipt, Status: r.Status, BusinessTime: r.BusinessTime.Time(),
		BusinessDate: r.BusinessDate, Currency: r.Currency, Lines: make([]receiptLineView, len(r.Lines)),
	}
	for i, l := range r.Lines {
		v.Lines[i] = receiptLineView{
			Line: l.Line.Line, SKU: l.SKU, Category: l.Category, Brand: l.Brand, Qty: l.Qty, UnitPrice: l.UnitPrice, Discount: l.Discount, Paid: l.Paid,
			Tax: l.Tax, PointsPaid: l.PointsPaid,
		}
		if r.Status == storeevent.StatusApplied {
			v.Lines[i].ReturnableQty, v.Lines[i].ReturnablePaid = l.Qty-l.ReturnedQty, l.Paid-l.ReturnedPaid
		}
	}
	return answer(v), nil
}

type gapsView struct {
	Items   []store.Range `json:"items" nullable:"false" doc:"runs of sequences, both ends in them"`
	LastSeq int64         `json:"last_seq" doc:"the last sequence that has come or that a Z-report named"`
}

func (s *Server) getGaps(ctx context.Context, _ *struct{}) (*reply[gapsView], error) {
	gaps, last, err := s.Services.Store.Gaps(ctx, caller(ctx).terminal)
	if err != nil {
		return nil, err
	}
	return answer(gapsView{gaps, last}), nil
}

type zReportInput struct {
	BusinessDate string `json:"business_date" format:"date"`
	Count        int64  `json:"count" minimum:"0"`
	Sales        int64  `json:"sales" minimum:"0" doc:"minor units"`
	Returns      int64  `json:"returns" minimum:"0" doc:"minor units"`
	FirstSeq     int64  `json:"first_seq" minimum:"0"`
	LastSeq      int64  `json:"last_seq" minimum:"0"`
}

type zReportView struct {
	BusinessDate when.Date          `json:"business_date"`
	Status       string             `json:"status" enum:"matched,differs"`
	Matched      bool               `json:"matched"`
	Differences  []zDifference      `json:"differences" nullable:"false" doc:"the figures that differ"`
	Claimed      store.Tally        `json:"claimed"`
	Counted      store.Tally        `json:"counted" doc:"every event accepted from the terminal for the date, whatever its outcome"`
	Open         int64              `json:"open" doc:"how many of them are not applied"`
	NotApplied   []store.NotApplied `json:"not_applied" nullable:"false" doc:"the first of these, by event id"`
	Sequence     uint64             `json:"sequence" doc:"everything accepted up to this sequence is counted"`
	AnsweredAt   time.Time          `json:"answered_at" doc:"later transactions of the date make a later answer"`
}

type zDifference struct {
	Figure  string `json:"figure" enum:"count,sales,returns,first_seq,last_seq"`
	Claimed int64  `json:"claimed"`
	Counted int64  `json:"counted"`
}

func differences(claimed, counted store.Tally) []zDifference {
	found := []zDifference{}
	for _, d := range []zDifference{
		{"count", claimed.Count, counted.Count}, {"sales", claimed.Sales, counted.Sales}, {"returns", claimed.Returns, counted.Returns},
		{"first_seq", claimed.FirstSeq, counted.FirstSeq}, {"last_seq", claimed.LastSeq, counted.LastSeq},
	} {
		if d.Claimed != d.Counted {
			found = append(found, d)
		}
	}
	return found
}

type zReportPending struct {
	Status string `json:"status" enum:"accepted"`
}

// zReportReply is a zReportView, or a zReportPending with 202.
type zReportReply struct {
	Status int
	Body   any
}

func (s *Server) sendZReport(ctx context.Context, in *body[zReportInput]) (*zReportReply, error) {
	b := &in.Body
	z, decided, err := s.Services.Store.ZReport(ctx, caller(ctx).terminal, when.Date(b.BusinessDate),
		store.Tally{Count: b.Count, Sales: b.Sales, Returns: b.Returns, FirstSeq: b.FirstSeq, LastSeq: b.LastSeq})
	if err != nil {
		return nil, err
	}
	if !decided {
		return &zReportReply{http.StatusAccepted, zReportPending{storeevent.StatusAccepted}}, nil
	}
	v := zReportView{
		BusinessDate: z.Date, Status: "matched", Matched: z.Matched(), Differences: differences(z.Claim, z.Counted), Claimed: z.Claim,
		Counted: z.Counted, Open: z.Open, NotApplied: z.NotApplied, Sequence: z.Sequence, AnsweredAt: z.At.Time(),
	}
	if !v.Matched {
		v.Status = "differs"
	}
	return &zReportReply{http.StatusOK, v}, nil
}
