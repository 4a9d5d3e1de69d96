package commission

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/store/storeevent"
)

// Explanation says step by step why an entry has its amount.
type Explanation struct {
	Share     Share
	Statement string // the statement it stands in, empty for Nobody; written once the settlement day is closed
	Steps     []Step
}

// Step is one step of an explanation: what was done in it, with its figures, and the same in words.
type Step struct {
	Name    string           // event, base, rule, pool, split, sale, taken, holder, settlement, clawback
	Figures map[string]int64 // minor units, basis points, quantities
	English string
	Chinese string
}

// inChinese are the roles' names.
var inChinese = map[Role]string{Selling: "成交导购", Serving: "专属导购", Recruiting: "拉新导购", Manager: "店长", Shop: "门店"}

func step(name string, figures map[string]int64, english, chinese string) Step {
	return Step{name, figures, english, chinese}
}

// Explain works an entry out again from the facts pinned in its booking and tells how; fault.NotFound "unknown_line".
func (s *Service) Explain(ctx context.Context, id string) (*Explanation, error) {
	unknown := fault.New(fault.NotFound, "unknown_line", "there is no such line")
	event, number, role, ok := parseShareID(id)
	if !ok {
		return nil, unknown
	}
	found, err := s.repo.bookings.GetMany(ctx, s.deps.DB, event)
	if err != nil {
		return nil, err
	}
	b := found[event]
	if b == nil {
		return nil, unknown
	}
	p, l := b.part(number)
	if l == nil || !slices.ContainsFunc(l.Shares, func(r RoleShare) bool { return r.Role == role }) {
		return nil, unknown
	}
	return s.explain(ctx, b, p, l, role)
}

func (s *Service) explain(ctx context.Context, b *Booking, p *Part, l *Line, role Role) (*Explanation, error) {
	plan, err := s.plan(ctx, p.Plan)
	if err != nil {
		return nil, err
	}
	var sale *Booking
	if p.Sale != "" {
		if sale, err = s.repo.bookings.Get(ctx, s.deps.DB, p.Sale); err != nil {
			return nil, err
		}
	}
	again, err := b.rework(p, l, plan, sale)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(again, l.Shares) {
		return nil, fmt.Errorf("commission: line %d of %s is not what its facts give", l.Line, b.ID)
	}
	shares, err := s.shares(ctx, b, &Part{
		Brand: p.Brand, Plan: p.Plan, Day: p.Day, Settles: p.Settles, Holders: p.Holders, Lines: []Line{*l},
	}, func(Payee) bool { return true })
	if err != nil {
		return nil, err
	}
	e := &Explanation{Share: shares[slices.IndexFunc(shares, func(x Share) bool { return x.Role == role })]}
	if e.Share.Payee != Nobody {
		e.Statement = statementID(p.Brand, p.Settles, e.Share.Payee)
	}
	e.Steps = append(e.Steps, stepEvent(b, l))
	if sale != nil {
		e.Steps = append(e.Steps, stepSale(p, l, sale, role), stepTaken(l, sale, role))
	} else {
		e.Steps = append(e.Steps, stepBase(l), stepRule(b, l, plan), stepPool(l, plan), stepSplit(b, l, plan, role))
	}
	e.Steps = append(e.Steps, stepHolder(b, p, plan, role), stepSettlement(b, p, plan, sale != nil))
	if b.Kind == storeevent.Sale {
		clawbacks, err := s.clawbacks(ctx, b, l, role)
		if err != nil {
			return nil, err
		}
		e.Steps = append(e.Steps, clawbacks...)
	}
	return e, nil
}

func stepEvent(b *Booking, l *Line) Step {
	what, kind := "Sale", "销售"
	if b.Kind == storeevent.Return {
		what, kind = "Return", "退货"
	}
	where, place := "without a store", "无门店"
	if b.Store != "" {
		where, place = "in store "+b.Store+" ("+b.Ownership+")", "门店 "+b.Store+"（"+b.Ownership+"）"
	}
	return step("event", map[string]int64{"line": int64(l.Line), "qty": l.Qty},
		fmt.Sprintf("%s %s at %s, business date %s, channel %s, %s; line %d.", what, b.ID, b.At, b.Date, b.Channel, where, l.Line),
		fmt.Sprintf("%s %s，时间 %s，营业日 %s，渠道 %s，%s；第 %d 行。", kind, b.ID, b.At, b.Date, b.Channel, place, l.Line))
}

func stepBase(l *Line) Step {
	return step("base", map[string]int64{"paid": l.Paid, "tax": l.Tax, "points_paid": l.PointsPaid, "base": l.Base()},
		fmt.Sprintf("Base: %d paid − %d tax − %d covered by points = %d (at least 0).", l.Paid, l.Tax, l.PointsPaid, l.Base()),
		fmt.Sprintf("计佣基数：实付 %d − 税 %d − 积分抵扣 %d = %d（不低于 0）。", l.Paid, l.Tax, l.PointsPaid, l.Base()))
}

// stepRule says why the rule won: the others that are for the line too are less specific.
func stepRule(b *Booking, l *Line, plan *rulebook) Step {
	rule := plan.byID[l.Rule]
	because, reason := "it is for every line", "适用于所有商品"
	switch {
	case rule.SKU != "":
		because, reason = "it is for SKU "+rule.SKU, "按 SKU "+rule.SKU
	case rule.Category != "":
		because, reason = "it is for category "+rule.Category, "按品类 "+rule.Category
	}
	if rule.Ownership != "" {
		because, reason = because+", ownership "+rule.Ownership, reason+"，门店性质 "+rule.Ownership
	}
	if rule.Channel != "" {
		because, reason = because+", channel "+rule.Channel, reason+"，渠道 "+rule.Channel
	}
	var beaten []string
	for i := range plan.Rules {
		r := &plan.Rules[i]
		if r.ID != rule.ID && (r.SKU == "" || r.SKU == l.SKU) && (r.Category == "" || r.Category == l.Category) && r.allows(b.Ownership, b.Channel) {
			beaten = append(beaten, r.ID)
		}
	}
	than, over := "no other rule is for the line", "无其他适用规则"
	if len(beaten) > 0 {
		than, over = "it is more specific than "+strings.Join(beaten, ", "), "比 "+strings.Join(beaten, "、")+" 更具体"
	}
	return step("rule", map[string]int64{"plan_version": plan.Version, "limits": int64(rule.limits())},
		fmt.Sprintf("Plan %s is in force from %s; rule %s applies: %s, and %s.", plan.ID, plan.EffectiveFrom, rule.ID, because, than),
		fmt.Sprintf("方案 %s 自 %s 起生效；适用规则 %s：%s，%s。", plan.ID, plan.EffectiveFrom, rule.ID, reason, over))
}

func stepPool(l *Line, plan *rulebook) Step {
	rule := plan.byID[l.Rule]
	if rule.FixedPerUnit != nil {
		return step("pool", map[string]int64{"fixed_per_unit": *rule.FixedPerUnit, "qty": l.Qty, "pool": l.Pool},
			fmt.Sprintf("Pool: %d for each of %d units = %d.", *rule.FixedPerUnit, l.Qty, l.Pool),
			fmt.Sprintf("佣金池：每件 %d × %d 件 = %d。", *rule.FixedPerUnit, l.Qty, l.Pool))
	}
	return step("pool", map[string]int64{"base": l.Base(), "rate_bps": *rule.RateBps, "pool": l.Pool},
		fmt.Sprintf("Pool: %d × %d basis points, rounded down = %d.", l.Base(), *rule.RateBps, l.Pool),
		fmt.Sprintf("佣金池：%d × %d 基点，向下取整 = %d。", l.Base(), *rule.RateBps, l.Pool))
}

func stepSplit(b *Booking, l *Line, plan *rulebook, role Role) Step {
	roles, bps := plan.byID[l.Rule].weights()
	figures := map[string]int64{"pool": l.Pool}
	parts, each := make([]string, len(roles)), make([]string, len(roles))
	for i, r := range roles {
		figures[string(r)], figures[string(r)+"_bps"] = l.Shares[i].Figure, bps[i]
		parts[i] = fmt.Sprintf("%s %d bps = %d", r, bps[i], l.Shares[i].Figure)
		each[i] = fmt.Sprintf("%s %d 基点 = %d", inChinese[r], bps[i], l.Shares[i].Figure)
	}
	english := "Split by the largest remainder, ties in this order: " + strings.Join(parts, ", ") + "; this line is the share of " + string(role) + "."
	chinese := "按最大余数法分配，余数相同按此顺序：" + strings.Join(each, "，") + "；本行为" + inChinese[role] + "份额。"
	if b.Kind == storeevent.Return {
		english += " A return without a receipt books the negative."
		chinese += "无小票退货按负数入账。"
	}
	return step("split", figures, english, chinese)
}

func stepSale(p *Part, l *Line, sale *Booking, role Role) Step {
	share := soldShare(sale, l, role)
	return step("sale", map[string]int64{"line": int64(l.Of), "share": share, "whole": l.Whole()},
		fmt.Sprintf("It takes back of line %d of %s, whose share of %s was %d.", l.Of, p.Sale, role, share),
		fmt.Sprintf("冲回 %s 第 %d 行，其%s份额为 %d。", p.Sale, l.Of, inChinese[role], share))
}

func stepTaken(l *Line, sale *Booking, role Role) Step {
	share := soldShare(sale, l, role)
	figure := l.Shares[slices.IndexFunc(l.Shares, func(r RoleShare) bool { return r.Role == role })].Figure
	of, unit := "the amount paid", "实付金额"
	if l.Paid == 0 {
		of, unit = "the quantity (nothing was paid)", "数量（未付款）"
	}
	return step("taken", map[string]int64{"share": share, "before": l.Before, "after": l.After, "whole": l.Whole(), "figure": figure},
		fmt.Sprintf("Of %s, %d of %d was back before and %d with this: −(floor(%d × %d ÷ %d) − floor(%d × %d ÷ %d)) = %d.",
			of, l.Before, l.Whole(), l.After, share, l.After, max(1, l.Whole()), share, l.Before, max(1, l.Whole()), figure),
		fmt.Sprintf("按%s累计：此前退回 %d/%d，本次后 %d：−（⌊%d × %d ÷ %d⌋ − ⌊%d × %d ÷ %d⌋）= %d。",
			unit, l.Before, l.Whole(), l.After, share, l.After, max(1, l.Whole()), share, l.Before, max(1, l.Whole()), figure))
}

func soldShare(sale *Booking, l *Line, role Role) int64 {
	_, sold := sale.part(l.Of)
	return sold.Shares[slices.IndexFunc(sold.Shares, func(r RoleShare) bool { return r.Role == role })].Figure
}

func stepHolder(b *Booking, p *Part, plan *rulebook, role Role) Step {
	h := p.Holders[slices.IndexFunc(p.Holders, func(h Holder) bool { return h.Role == role })]
	var english, chinese string
	switch {
	case b.Kind == storeevent.Return && p.Sale != "":
		english, chinese = "It comes from who got the share: "+named(h.Payee), "由当初得到该份额者承担："+named(h.Payee)
	case b.Kind == storeevent.Return:
		english, chinese = "A return without a receipt is borne by the store: "+named(h.Payee), "无小票退货由门店承担："+named(h.Payee)
	case h.Reason != "" && h.Payee == Nobody:
		english = fmt.Sprintf("Nobody holds the role (%s) and nobody is paid in place (%s): the amount is 0", h.Reason, plan.Fallback)
		chinese = fmt.Sprintf("该角色无人（%s），回退规则 %s，无人领取，金额为 0", h.Reason, plan.Fallback)
	case h.Reason != "":
		english = fmt.Sprintf("Nobody holds the role (%s); the plan's fallback (%s) pays %s", h.Reason, plan.Fallback, named(h.Payee))
		chinese = fmt.Sprintf("该角色无人（%s），按方案回退规则（%s）付给 %s", h.Reason, plan.Fallback, named(h.Payee))
	case h.Since != 0:
		english = fmt.Sprintf("The role is held by %s since %s", named(h.Payee), h.Since)
		chinese = fmt.Sprintf("该角色自 %s 起由 %s 担任", h.Since, named(h.Payee))
	default:
		english, chinese = "The role is held by "+named(h.Payee), "该角色为 "+named(h.Payee)
	}
	return step("holder", map[string]int64{}, english+".", chinese+"。")
}

func named(p Payee) string {
	if p == Nobody {
		return "nobody"
	}
	kind, id := p.Split()
	return kind + " " + id
}

func stepSettlement(b *Booking, p *Part, plan *rulebook, clawback bool) Step {
	english, chinese := "Booked on its business date "+string(p.Day), "计入营业日 "+string(p.Day)
	if p.Day != b.Date {
		english = fmt.Sprintf("Its business date %s was closed, so it is booked on the first open day %s", b.Date, p.Day)
		chinese = fmt.Sprintf("营业日 %s 已关账，计入首个未关账日 %s", b.Date, p.Day)
	}
	figures := map[string]int64{"hold_days": int64(plan.HoldDays)}
	if clawback {
		return step("settlement", figures,
			fmt.Sprintf("%s; it settles on the later of that day and the sale's settlement day: %s.", english, p.Settles),
			fmt.Sprintf("%s；结算日取该日与原销售结算日中较晚者：%s。", chinese, p.Settles))
	}
	return step("settlement", figures,
		fmt.Sprintf("%s; it settles on the later of that day and the business date + %d days: %s.", english, plan.HoldDays, p.Settles),
		fmt.Sprintf("%s；结算日取该日与营业日 + %d 天冻结期中较晚者：%s。", chinese, plan.HoldDays, p.Settles))
}

// clawbacks are what was taken back of a share so far, one step for each return.
func (s *Service) clawbacks(ctx context.Context, sale *Booking, l *Line, role Role) ([]Step, error) {
	var steps []Step
	for b, err := range s.repo.bookings.Each(ctx, s.deps.DB, docdb.Query{Index: "sales", Eq: []any{sale.ID}}) {
		if err != nil {
			return nil, err
		}
		for i := range b.Parts {
			for _, taken := range b.Parts[i].Lines {
				if b.Parts[i].Sale != sale.ID || taken.Of != l.Line {
					continue
				}
				figure := taken.Shares[slices.IndexFunc(taken.Shares, func(r RoleShare) bool { return r.Role == role })].Figure
				steps = append(steps, step("clawback", map[string]int64{"figure": figure},
					fmt.Sprintf("%s took back %d, settled on %s.", b.ID, -figure, b.Parts[i].Settles),
					fmt.Sprintf("%s 冲回 %d，结算日 %s。", b.ID, -figure, b.Parts[i].Settles)))
			}
		}
	}
	return steps, nil
}
