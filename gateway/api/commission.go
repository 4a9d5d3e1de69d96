package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"scrm/commission"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
)

const tagCommission = "Commission"

func (s *Server) registerCommission() {
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/commission/plans", ID: "create-plan", Tag: tagCommission, Summary: "Make a brand's next commission plan",
		Description: "In force from effective_from until the brand's next plan starts. A start in the past is possible until the brand has accepted " +
			"a transaction. The same plan again answers the plan that is there.",
		Status: http.StatusCreated, Creates: true,
	}, s.createPlan)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/commission/plans", ID: "list-plans", Tag: tagCommission, Summary: "A brand's plans by their start",
	}, s.listPlans)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/commission/closes", ID: "close-days", Tag: tagCommission, Summary: "Close every open day up to a date",
		Description: "For platform admins, brand HQ and finance. Answers at once; the close says how far it is. Asking again changes nothing.",
		Status:      http.StatusAccepted, Creates: true,
	}, s.closeDays)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/commission/closes/{id}", ID: "get-close", Tag: tagCommission, Summary: "The close of a brand's day",
	}, s.getClose)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/commission/statements", ID: "list-statements", Tag: tagCommission, Summary: "A brand's statements of a day",
		Description: "Guides, store managers and dealer admins see their own guide's, store's or dealer's.",
	}, s.listStatements)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/commission/statements/{id}/lines", ID: "list-statement-lines", Tag: tagCommission,
		Summary: "The lines that a statement sums up",
	}, s.listStatementLines)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/commission/lines/{id}/explain", ID: "explain-line", Tag: tagCommission,
		Summary: "Why a line has its amount, step by step", Description: "Worked out again from the facts that were looked up when it was booked.",
	}, s.explainLine)
}

type planInput struct {
	Brand         string      `json:"brand" maxLength:"64"`
	EffectiveFrom *time.Time  `json:"effective_from,omitempty" doc:"absent: from the next full second"`
	HoldDays      int         `json:"hold_days,omitempty" minimum:"0" maximum:"366" doc:"days after the business date by which commission settles"`
	MinPayout     int64       `json:"min_payout,omitempty" minimum:"0" doc:"statements under it are carried on; minor units"`
	Fallback      string      `json:"fallback" enum:"selling,store,none" doc:"who gets the share of a role that nobody holds"`
	Rules         []ruleInput `json:"rules" minItems:"1" maxItems:"10000" nullable:"false"`
	Draft         bool        `json:"draft,omitempty"`
}

type ruleInput struct {
	ID           string           `json:"id" maxLength:"64"`
	SKU          string           `json:"sku,omitempty" maxLength:"64"`
	Category     string           `json:"category,omitempty" maxLength:"64" doc:"of lines that no rule for their SKU matches"`
	Ownership    string           `json:"ownership,omitempty" enum:"direct,franchise,dealer" doc:"only in such stores"`
	Channel      string           `json:"channel,omitempty" maxLength:"64" doc:"store, or an online channel"`
	RateBps      *int64           `json:"rate_bps,omitempty" minimum:"0" maximum:"10000" doc:"of the base, or else:"`
	FixedPerUnit *int64           `json:"fixed_per_unit,omitempty" minimum:"0" doc:"minor units"`
	Roles        map[string]int64 `json:"roles" doc:"basis points of the pool for selling, serving, recruiting, manager and store"`
}

type planView struct {
	ID            string      `json:"id"`
	Brand         string      `json:"brand"`
	Version       int64       `json:"version"`
	EffectiveFrom time.Time   `json:"effective_from"`
	HoldDays      int         `json:"hold_days"`
	MinPayout     int64       `json:"min_payout"`
	Fallback      string      `json:"fallback"`
	Rules         []ruleInput `json:"rules" nullable:"false"`
	MadeAt        time.Time   `json:"made_at"`
	MadeBy        string      `json:"made_by"`
}

func (s *Server) createPlan(ctx context.Context, in *body[planInput]) (*reply[planView], error) {
	plan := in.Body
	if err := caller(ctx).MustSetUp(plan.Brand); err != nil {
		return nil, err
	}
	if plan.Draft {
		return nil, fault.New(fault.Invalid, "no_drafts", "there are no drafts: a plan is in force as posted").At("draft")
	}
	var from when.Instant
	if plan.EffectiveFrom != nil {
		from = when.Of(*plan.EffectiveFrom)
	}
	terms := commission.Terms{
		HoldDays: plan.HoldDays, MinPayout: plan.MinPayout, Fallback: commission.Fallback(plan.Fallback), Rules: make([]commission.Rule, len(plan.Rules)),
	}
	for i, r := range plan.Rules {
		terms.Rules[i] = commission.Rule{
			ID: r.ID, SKU: r.SKU, Category: r.Category, Ownership: r.Ownership, Channel: r.Channel,
			RateBps: r.RateBps, FixedPerUnit: r.FixedPerUnit, Roles: make(map[commission.Role]int64, len(r.Roles)),
		}
		for role, bps := range r.Roles {
			terms.Rules[i].Roles[commission.Role(role)] = bps
		}
	}
	made, fresh, err := s.Services.Commission.MakePlan(ctx, plan.Brand, from, terms, caller(ctx).Name)
	if err != nil {
		return nil, err
	}
	if !fresh {
		return answerWith(http.StatusOK, viewPlan(made)), nil
	}
	return answer(viewPlan(made)), nil
}

func viewPlan(p *commission.Plan) planView {
	v := planView{
		ID: p.ID, Brand: p.Brand, Version: p.Version, EffectiveFrom: p.EffectiveFrom.Time(), HoldDays: p.HoldDays, MinPayout: p.MinPayout,
		Fallback: string(p.Fallback), Rules: make([]ruleInput, len(p.Rules)), MadeAt: p.MadeAt.Time(), MadeBy: p.MadeBy,
	}
	for i, r := range p.Rules {
		v.Rules[i] = ruleInput{
			ID: r.ID, SKU: r.SKU, Category: r.Category, Ownership: r.Ownership, Channel: r.Channel,
			RateBps: r.RateBps, FixedPerUnit: r.FixedPerUnit, Roles: make(map[string]int64, len(r.Roles)),
		}
		for role, bps := range r.Roles {
			v.Rules[i].Roles[string(role)] = bps
		}
	}
	return v
}

type planQuery struct {
	Page
	Brand string `query:"brand" maxLength:"64"`
}

func (s *Server) listPlans(ctx context.Context, in *planQuery) (*reply[list[planView]], error) {
	brand, err := caller(ctx).OneBrand(in.Brand)
	if err != nil {
		return nil, err
	}
	if err := caller(ctx).MustRead(Scope{Brand: brand}); err != nil {
		return nil, err
	}
	plans, err := s.Services.Commission.Plans(ctx, brand, in.Limit, in.Cursor)
	if err != nil {
		return nil, err
	}
	return answer(listOf(plans.Items, plans.Next, viewPlan)), nil
}

type closeInput struct {
	Brand string `json:"brand" maxLength:"64"`
	Date  string `json:"date" format:"date" doc:"the last day to close"`
}

type closeView struct {
	ID         string      `json:"id"`
	Brand      string      `json:"brand"`
	Date       string      `json:"date"`
	Status     string      `json:"status" enum:"running,closed"`
	Step       string      `json:"step,omitempty" doc:"what is being done while it runs"`
	Statements int64       `json:"statements" doc:"how many are written"`
	Accrued    int64       `json:"accrued" doc:"Σ lines of the statements, minor units"`
	Settled    int64       `json:"settled" doc:"Σ paid"`
	Carried    int64       `json:"carried" doc:"Σ carried out; negative: owed"`
	Control    controlView `json:"control" doc:"what was booked on the day"`
}

type controlView struct {
	Entries int64 `json:"entries"`
	Amount  int64 `json:"amount"`
}

func viewClose(c commission.Close) closeView {
	return closeView{
		ID: c.ID, Brand: c.Brand, Date: string(c.Date), Status: c.Status, Step: c.Step, Statements: c.Statements, Accrued: c.Accrued,
		Settled: c.Settled, Carried: c.Carried, Control: controlView{Entries: c.Entries, Amount: c.Amount},
	}
}

func (s *Server) closeDays(ctx context.Context, in *body[closeInput]) (*reply[closeView], error) {
	if err := caller(ctx).MustRole(BrandHQ, Finance); err != nil {
		return nil, err
	}
	if err := caller(ctx).MustRead(Scope{Brand: in.Body.Brand}); err != nil {
		return nil, err
	}
	date, err := dateAt("date", in.Body.Date)
	if err != nil {
		return nil, err
	}
	c, err := s.Services.Commission.RequestClose(ctx, in.Body.Brand, date)
	if err != nil {
		return nil, err
	}
	return answer(viewClose(c)), nil
}

// ByID is the input of an operation on one thing.
type ByID struct {
	ID string `path:"id" maxLength:"256"`
}

func (s *Server) getClose(ctx context.Context, in *ByID) (*reply[closeView], error) {
	brand, day, _ := strings.Cut(in.ID, ".")
	if err := caller(ctx).MustRead(Scope{Brand: brand}); err != nil {
		return nil, err
	}
	date, err := when.ParseDate(day)
	if err != nil {
		return nil, errNotYours
	}
	c, err := s.Services.Commission.CloseOf(ctx, brand, date)
	if err != nil {
		return nil, err
	}
	return answer(viewClose(c)), nil
}

// dateAt reads a date; field names it in the error.
func dateAt(field, text string) (when.Date, error) {
	date, err := when.ParseDate(text)
	if err != nil {
		return "", fault.New(fault.Invalid, "invalid_date", "a date is YYYY-MM-DD").At(field)
	}
	return date, nil
}

type statementQuery struct {
	Page
	Brand  string `query:"brand" maxLength:"64"`
	Date   string `query:"date" required:"true" doc:"settlement day"`
	Guide  string `query:"guide" maxLength:"64"`
	Store  string `query:"store" maxLength:"64"`
	Dealer string `query:"dealer" maxLength:"64"`
}

type statementView struct {
	ID         string    `json:"id"`
	Brand      string    `json:"brand"`
	Date       string    `json:"date" doc:"settlement day"`
	Payee      payeeView `json:"payee"`
	CarriedIn  int64     `json:"carried_in" doc:"minor units; carried_in + lines_total = amount + carried_out"`
	LinesTotal int64     `json:"lines_total"`
	LinesCount int64     `json:"lines_count"`
	Amount     int64     `json:"amount" doc:"what is paid"`
	CarriedOut int64     `json:"carried_out" doc:"negative: owed"`
}

func viewStatement(st *commission.Statement) statementView {
	return statementView{
		ID: st.ID, Brand: st.Brand, Date: string(st.Date), Payee: *viewPayee(st.Payee), CarriedIn: st.CarriedIn,
		LinesTotal: st.LinesTotal, LinesCount: st.LinesCount, Amount: st.Amount, CarriedOut: st.CarriedOut,
	}
}

func (s *Server) listStatements(ctx context.Context, in *statementQuery) (*reply[list[statementView]], error) {
	brand, err := caller(ctx).OneBrand(in.Brand)
	if err != nil {
		return nil, err
	}
	date, err := dateAt("date", in.Date)
	if err != nil {
		return nil, err
	}
	payees, err := payeesFor(caller(ctx), brand, commission.PayeeOf(commission.PayeeGuide, in.Guide),
		commission.PayeeOf(commission.PayeeStore, in.Store), commission.PayeeOf(commission.PayeeDealer, in.Dealer))
	if err != nil {
		return nil, err
	}
	statements, err := s.Services.Commission.Statements(ctx, brand, date, payees, in.Limit, in.Cursor)
	if err != nil {
		return nil, err
	}
	return answer(listOf(statements.Items, statements.Next, viewStatement)), nil
}

// payeesFor are the payees whose statements a request lists: those that it names, or all of the brand (none), or the one that
// the caller is bound to.
func payeesFor(p *Principal, brand string, named ...commission.Payee) ([]commission.Payee, error) {
	var payees []commission.Payee
	for _, payee := range named {
		if payee == commission.Nobody {
			continue
		}
		if err := p.MustRead(payeeScope(brand, payee)); err != nil {
			return nil, err
		}
		payees = append(payees, payee)
	}
	if len(payees) > 0 || p.Within(Scope{Brand: brand}) {
		return payees, nil
	}
	own := map[Role]commission.Payee{
		GuideRole: commission.PayeeOf(commission.PayeeGuide, p.Guide), StoreManager: commission.PayeeOf(commission.PayeeStore, p.Store),
		DealerAdmin: commission.PayeeOf(commission.PayeeDealer, p.Dealer),
	}[p.Role]
	if own == commission.Nobody {
		return nil, errNotYours
	}
	return []commission.Payee{own}, nil
}

// payeeScope is where what a brand pays somebody belongs.
func payeeScope(brand string, payee commission.Payee) Scope {
	scope := Scope{Brand: brand}
	switch kind, id := payee.Split(); kind {
	case commission.PayeeGuide:
		scope.Guide = id
	case commission.PayeeStore:
		scope.Store = id
	case commission.PayeeDealer:
		scope.Dealer = id
	}
	return scope
}

type linesQuery struct {
	Page
	ByID
}

type lineView struct {
	ID           string `json:"id"`
	EventID      string `json:"event_id"`
	Line         int    `json:"line"`
	Role         string `json:"role"`
	Base         int64  `json:"base" doc:"minor units; of a clawback: of the sale's line, as are rule and pool"`
	Plan         string `json:"plan"`
	Rule         string `json:"rule"`
	RateBps      *int64 `json:"rate_bps,omitempty"`
	FixedPerUnit *int64 `json:"fixed_per_unit,omitempty"`
	Pool         int64  `json:"pool"`
	Share        int64  `json:"share" doc:"negative for a clawback"`
	BusinessDate string `json:"business_date" doc:"on which it is booked"`
	OriginalDate string `json:"original_date,omitempty" doc:"of the transaction, where its day was closed when it came"`
}

func viewLine(l commission.Share) lineView {
	return lineView{
		ID: l.ID, EventID: l.EventID, Line: l.Line, Role: string(l.Role), Base: l.Base, Plan: l.Plan, Rule: l.Rule, RateBps: l.RateBps,
		FixedPerUnit: l.FixedPerUnit, Pool: l.Pool, Share: l.Amount, BusinessDate: string(l.Booked), OriginalDate: string(l.Original),
	}
}

func (s *Server) listStatementLines(ctx context.Context, in *linesQuery) (*reply[list[lineView]], error) {
	st, err := s.Services.Commission.Statement(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := caller(ctx).MustRead(payeeScope(st.Brand, st.Payee)); err != nil {
		return nil, err
	}
	lines, next, err := s.Services.Commission.Lines(ctx, st, in.Limit, in.Cursor)
	if err != nil {
		return nil, err
	}
	return answer(listOf(lines, next, viewLine)), nil
}

type explainView struct {
	lineView
	Brand     string     `json:"brand"`
	Payee     *payeeView `json:"payee,omitempty" doc:"absent: nobody is paid"`
	Settles   string     `json:"settles" doc:"settlement day"`
	Statement string     `json:"statement,omitempty" doc:"where it stands once that day is closed"`
	Steps     []stepView `json:"steps" nullable:"false"`
}

type stepView struct {
	Step    string           `json:"step"`
	Figures map[string]int64 `json:"figures"`
	English string           `json:"en"`
	Chinese string           `json:"zh"`
}

func (s *Server) explainLine(ctx context.Context, in *ByID) (*reply[explainView], error) {
	e, err := s.Services.Commission.Explain(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err := caller(ctx).MustRead(payeeScope(e.Share.Brand, e.Share.Payee)); err != nil {
		return nil, err
	}
	v := explainView{
		lineView: viewLine(e.Share), Brand: e.Share.Brand, Payee: viewPayee(e.Share.Payee), Settles: string(e.Share.Settles),
		Statement: e.Statement, Steps: make([]stepView, len(e.Steps)),
	}
	for i, step := range e.Steps {
		v.Steps[i] = stepView{step.Name, step.Figures, step.English, step.Chinese}
	}
	return answer(v), nil
}
