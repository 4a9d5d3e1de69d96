package member_test

import (
	"fmt"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"scrm/gateway/kit/when"
	"scrm/member"
	"scrm/store/storeevent"
)

// The model knows the rules as design.md states them and nothing of how the service works: it looks at all that ever happened,
// day by day, as often as it likes.

type modelCard struct {
	number         string
	brand, program string
	at             when.Instant
	openTier       string
	openGrowth     int64
	openPoints     int64
	openedOn       when.Date // date of the import, which imported points expire by
}

type modelRules struct {
	member.Rules
	from  when.Instant
	first when.Date // the first date that begins under them
}

type model struct {
	today    when.Date
	cards    []modelCard
	rules    map[string][]modelRules // by brand and program, ascending
	accepted []*storeevent.Verdict   // in the order in which store decided them
	numbers  map[string]string       // blind index → number
}

func (m *model) ruleAt(key string, t when.Instant) *modelRules {
	var found *modelRules
	for i := range m.rules[key] {
		if m.rules[key][i].from <= t {
			found = &m.rules[key][i]
		}
	}
	return found
}

// effect is what one line did to a card.
type effect struct {
	date   when.Date
	growth int64
	points func(tierOn func(when.Date) string) int64
	usable when.Date
	lot    string // of the points: the sale's entry
	expire when.Date
}

func (m *model) multiplier(r *modelRules, tier string) int64 {
	for _, t := range r.Tiers {
		if t.ID == tier {
			return t.MultiplierBps
		}
	}
	return r.Tiers[0].MultiplierBps
}

func (m *model) effects(c modelCard) []effect {
	key := c.brand + "/" + c.program
	var out []effect
	for _, v := range m.accepted {
		number := ""
		if v.Member != nil {
			number = m.numbers[v.Member.Phone]
		}
		program := "online"
		if v.Channel == "store" {
			program = "store"
		}
		for _, l := range v.Lines {
			if l.Original == nil {
				r := m.ruleAt(key, v.BusinessTime+999)
				if number != c.number || l.Brand != c.brand || program != c.program || r == nil || c.at > v.BusinessTime+999 {
					continue
				}
				out = append(out, m.plain(v, l, r))
				continue
			}
			for _, sale := range m.accepted {
				if sale.EventID != l.Original.EventID {
					continue
				}
				for _, sold := range sale.Lines {
					if sold.Line != l.Original.Line {
						continue
					}
					saleProgram := "online"
					if sale.Channel == "store" {
						saleProgram = "store"
					}
					r := m.ruleAt(key, sale.BusinessTime+999)
					if sale.Member == nil || m.numbers[sale.Member.Phone] != c.number || sold.Brand != c.brand || saleProgram != c.program || r == nil ||
						c.at > sale.BusinessTime+999 {
						continue
					}
					of := m.plain(sale, sold, r)
					part := func(share int64) int64 {
						return share*(l.Original.PaidBefore+l.Paid)/sold.Paid - share*l.Original.PaidBefore/sold.Paid
					}
					e := effect{date: v.BusinessDate, usable: of.usable, lot: of.lot, expire: of.expire, growth: -part(of.growth)}
					e.points = func(tierOn func(when.Date) string) int64 { return -part(of.points(tierOn)) }
					out = append(out, e)
				}
			}
		}
	}
	return out
}

// plain is a sale's line, or a return's without receipt.
func (m *model) plain(v *storeevent.Verdict, l storeevent.Line, r *modelRules) effect {
	base, times, sign := l.Paid-l.PointsPaid, int64(1), int64(1)
	if n, ok := r.Earn.Categories[l.Category]; ok {
		times = n
	}
	e := effect{date: v.BusinessDate}
	if v.Kind == storeevent.Return {
		sign = -1
	} else {
		if r.PendingDays > 0 {
			e.usable = v.BusinessDate.Add(int(r.PendingDays))
		}
		if r.ExpireMonths > 0 {
			e.expire = v.BusinessDate.Months(int(r.ExpireMonths))
		}
		e.lot = v.EventID
	}
	e.growth = sign * (r.GrowthPerUnit * base / r.Earn.Unit)
	e.points = func(tierOn func(when.Date) string) int64 {
		return sign * (r.Earn.PointsPerUnit * base * times * m.multiplier(r, tierOn(v.BusinessDate)) / (r.Earn.Unit * 10_000))
	}
	return e
}

// tiers walks day by day from before everything to a while after.
func (m *model) tiers(c modelCard, effects []effect) map[when.Date]string {
	key := c.brand + "/" + c.program
	rank := func(r *modelRules, tier string) int {
		for i, t := range r.Tiers {
			if t.ID == tier {
				return i
			}
		}
		return 0
	}
	held := c.openTier
	out := map[when.Date]string{}
	start := when.DateIn(c.at, shanghai(), 0)
	for d := firstDay; d <= m.today.Add(40); d = d.Add(1) {
		growth := c.openGrowth
		judged := d > start // the card opens with its tier, whatever the growth; a shop's date may have begun before it
		for _, e := range effects {
			if e.date < d {
				growth += e.growth
				judged = judged || e.growth != 0
			}
		}
		var r *modelRules
		for i := range m.rules[key] {
			if m.rules[key][i].first <= d {
				r = &m.rules[key][i]
			}
		}
		if r != nil && judged {
			best := rank(r, held)
			for i, t := range r.Tiers {
				if t.Growth <= growth && i > best {
					best = i
				}
			}
			held = r.Tiers[best].ID
		}
		out[d] = held
	}
	return out
}

// state is what a card must end with.
type state struct {
	Available, Pending, Growth int64
	Tier                       string
}

func (m *model) state(c modelCard) (state, map[string]int64) {
	effects := m.effects(c)
	tiers := m.tiers(c, effects)
	tierOn := func(d when.Date) string { return tiers[d] }
	s := state{Growth: c.openGrowth}
	total, pending := c.openPoints, int64(0)
	if r := m.ruleAt(c.brand+"/"+c.program, 1<<60); r != nil && r.PendingDays > 0 && c.openPoints > 0 && c.openedOn.Add(int(r.PendingDays)) > m.today {
		pending += c.openPoints
	}
	lots := map[string]int64{}
	last := m.today
	for _, e := range effects {
		n := e.points(tierOn)
		total += n
		s.Growth += e.growth
		if e.usable > m.today {
			pending += n
		}
		if e.expire != "" {
			lots[e.lot] += n
		}
		last = max(last, e.date.Add(1))
	}
	s.Pending = pending
	if s.Pending > total {
		s.Pending = total
	}
	if s.Pending < 0 {
		s.Pending = 0
	}
	s.Available = total - s.Pending
	s.Tier = tiers[last]
	return s, lots
}

const firstDay = when.Date("2026-02-20")

// TestAnyOrderOfDeliveryEndsInTheModelsState draws programs, enrolments and transactions, delivers the transactions in any order, in
// batches of any size, some of them twice, and compares every card with the model.
func TestAnyOrderOfDeliveryEndsInTheModelsState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, "2026-03-20T12:00:00")
		m := draw(t, rt, f)
		deliver(t, rt, f, m.accepted)
		for _, c := range m.cards {
			id, err := f.ByPhone(t.Context(), c.number)
			if err != nil || id == "" {
				rt.Fatal("no member", err)
			}
			p, err := f.Person(t.Context(), id)
			if err != nil {
				rt.Fatal(err)
			}
			want, lots := m.state(c)
			for _, ms := range p.Memberships {
				for _, got := range ms.Cards {
					if ms.Brand == c.brand && got.Program == c.program && (state{got.Available, got.Pending, got.Growth, got.Tier}) != want {
						rt.Fatalf("%s card of %s at %s: %+v, want %+v", c.program, c.number, c.brand, got, want)
					}
				}
			}
			compareLots(t, rt, f, id+"|"+c.brand+"|"+c.program, lots)
		}
		for _, check := range f.sound(t) {
			if !check.OK {
				rt.Fatalf("%s: %v %v", check.ID, check.Figures, check.Problems)
			}
		}
	})
}

// compareLots compares what is left of each sale's points with the model: the entry and what changed it since.
func compareLots(t *testing.T, rt *rapid.T, f *fixture, card string, want map[string]int64) {
	t.Helper()
	got, err := f.Left(t.Context(), card)
	if err != nil {
		rt.Fatal(err)
	}
	for sale, n := range want {
		if got[sale] != n {
			rt.Fatalf("of %s there are %d points left, want %d", sale, got[sale], n)
		}
	}
}

// draw makes a business: programs in versions, members with cards, and transactions as store decides them.
func draw(t *testing.T, rt *rapid.T, f *fixture) *model {
	t.Helper()
	m := &model{today: "2026-03-20", rules: map[string][]modelRules{}, numbers: map[string]string{}}
	for _, brand := range []string{"aurora", "breeze"} {
		for _, program := range []string{"online", "store"} {
			key := brand + "/" + program
			days := rapid.SliceOfNDistinct(rapid.IntRange(0, 20), 1, 3, rapid.ID[int]).Draw(rt, key)
			sort.Ints(days)
			for _, day := range days {
				date := firstDay.Add(day)
				from := date.Start(shanghai(), 0)
				first := date
				if rapid.Bool().Draw(rt, "midday") {
					from, first = from+12*3600*1000, date.Add(1)
				}
				r := drawRules(rt)
				f.program(t, brand, program, r, from.Time().In(shanghai()).Format("2006-01-02T15:04:05"))
				m.rules[key] = append(m.rules[key], modelRules{r, from, first})
			}
		}
	}
	people := rapid.IntRange(1, 3).Draw(rt, "people")
	for i := range people {
		number := fmt.Sprintf("+861381234567%d", i)
		m.numbers[f.index(number)] = number
		for _, brand := range []string{"aurora", "breeze"} {
			for _, program := range []string{"online", "store"} {
				if rapid.IntRange(0, 3).Draw(rt, "has") == 0 {
					continue
				}
				drawCard(t, rt, f, m, number, brand, program)
			}
		}
	}
	for n := range rapid.IntRange(0, 25).Draw(rt, "transactions") {
		drawTransaction(rt, f, m, n, people)
	}
	return m
}

func drawRules(rt *rapid.T) member.Rules {
	tiers := []member.Tier{{ID: "v1", MultiplierBps: 10_000}, {ID: "v2", MultiplierBps: 13_333}, {ID: "v3", MultiplierBps: 25_000}}
	tiers[1].Growth = rapid.Int64Range(1, 300).Draw(rt, "v2")
	tiers[2].Growth = tiers[1].Growth + rapid.Int64Range(1, 300).Draw(rt, "v3")
	return member.Rules{
		Earn: member.Earn{PointsPerUnit: rapid.Int64Range(0, 7).Draw(rt, "points"), Unit: rapid.Int64Range(1, 130).Draw(rt, "unit"),
			Categories: map[string]int64{"cake": rapid.Int64Range(0, 3).Draw(rt, "cake")}},
		PendingDays: rapid.Int64Range(0, 1).Draw(rt, "pending") * 10, ExpireMonths: rapid.Int64Range(0, 1).Draw(rt, "expire") * 12,
		GrowthPerUnit: rapid.Int64Range(0, 3).Draw(rt, "growth"), Tiers: tiers,
	}
}

func drawCard(t *testing.T, rt *rapid.T, f *fixture, m *model, number, brand, program string) {
	t.Helper()
	start := firstDay.Add(rapid.IntRange(0, 15).Draw(rt, "start")).Start(shanghai(), 0) + when.Instant(rapid.IntRange(0, 86_399).Draw(rt, "second"))*1000
	c := modelCard{number: number, brand: brand, program: program, at: start, openedOn: m.today}
	e := member.Enrolment{Brand: brand, Program: program, Phone: number, JoinedAt: start}
	r := m.ruleAt(brand+"/"+program, start)
	if r == nil {
		r = &m.rules[brand+"/"+program][0]
	}
	c.openTier = r.Tiers[0].ID
	if rapid.Bool().Draw(rt, "imported") {
		tier := rapid.SampledFrom(r.Tiers).Draw(rt, "level")
		c.openTier, c.openGrowth, c.openPoints = tier.ID, tier.Growth, rapid.Int64Range(0, 50).Draw(rt, "balance")
		e.Level, e.Points = tier.ID, c.openPoints
	}
	f.enrol(t, e)
	m.cards = append(m.cards, c)
}

func drawTransaction(rt *rapid.T, f *fixture, m *model, n, people int) {
	day := rapid.IntRange(0, 25).Draw(rt, "day")
	time := firstDay.Add(day).Start(shanghai(), 0) + when.Instant(rapid.IntRange(0, 86_399).Draw(rt, "second"))*1000
	v := &storeevent.Verdict{Transaction: storeevent.Transaction{EventID: fmt.Sprintf("pos/t1/x/R#%03d", n), Kind: storeevent.Sale, BusinessTime: time,
		BusinessDate: firstDay.Add(day - rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(rt, "before opening")), ArrivedAt: time,
		Channel: rapid.SampledFrom([]string{"store", "tmall"}).Draw(rt, "channel")}}
	if who := rapid.IntRange(0, people).Draw(rt, "who"); who < people {
		v.Member = &storeevent.MemberRef{Phone: f.index(fmt.Sprintf("+861381234567%d", who))}
	}
	if rapid.IntRange(0, 2).Draw(rt, "kind") == 0 {
		v.Kind = storeevent.Return
	}
	for i := range rapid.IntRange(1, 3).Draw(rt, "lines") {
		l := storeevent.Line{Line: i + 1, Qty: 1, Brand: rapid.SampledFrom([]string{"aurora", "breeze"}).Draw(rt, "brand"),
			Category: rapid.SampledFrom([]string{"", "cake"}).Draw(rt, "category"), Paid: rapid.Int64Range(0, 20_000).Draw(rt, "paid")}
		if rapid.IntRange(0, 3).Draw(rt, "points paid") == 0 {
			l.PointsPaid = rapid.Int64Range(0, l.Paid).Draw(rt, "part")
		}
		if v.Kind == storeevent.Return && !drawOriginal(rt, m, v, &l) {
			l.Original = nil
		}
		v.Lines = append(v.Lines, l)
	}
	m.accepted = append(m.accepted, v)
}

// drawOriginal makes a line one that takes back what is left of an earlier sale's line, or a part of it.
func drawOriginal(rt *rapid.T, m *model, v *storeevent.Verdict, l *storeevent.Line) bool {
	if len(m.accepted) == 0 || rapid.IntRange(0, 4).Draw(rt, "bare") == 0 {
		return false
	}
	sale := rapid.SampledFrom(m.accepted).Draw(rt, "sale")
	sold := rapid.SampledFrom(sale.Lines).Draw(rt, "line")
	if sale.Kind != storeevent.Sale || sold.Paid == 0 {
		return false
	}
	var before int64
	for _, other := range append(m.accepted, v) {
		for _, r := range other.Lines {
			if r.Original != nil && r.Original.EventID == sale.EventID && r.Original.Line == sold.Line {
				before += r.Paid
			}
		}
	}
	if before == sold.Paid {
		return false
	}
	l.PointsPaid, l.Brand = 0, sold.Brand
	l.Paid = rapid.OneOf(rapid.Just(sold.Paid-before), rapid.Int64Range(0, sold.Paid-before)).Draw(rt, "back")
	l.Original = &storeevent.Original{EventID: sale.EventID, Line: sold.Line, SoldQty: 1, SoldPaid: sold.Paid, PaidBefore: before}
	return true
}

// deliver brings the transactions in any order, some twice, until none has to wait.
func deliver(t *testing.T, rt *rapid.T, f *fixture, accepted []*storeevent.Verdict) {
	t.Helper()
	queue := append([]*storeevent.Verdict(nil), accepted...)
	for _, v := range accepted {
		if rapid.IntRange(0, 4).Draw(rt, "twice") == 0 {
			queue = append(queue, v)
		}
	}
	queue = rapid.Permutation(queue).Draw(rt, "order")
	for rounds := 0; len(queue) > 0; rounds++ {
		if rounds > 1000 {
			rt.Fatal("some transactions wait for ever")
		}
		n := rapid.IntRange(1, len(queue)).Draw(rt, "batch")
		batch := queue[:n]
		later, err := f.ProjectSales(t.Context(), items(t, batch...))
		if err != nil {
			rt.Fatal(err)
		}
		rest := append([]*storeevent.Verdict(nil), queue[n:]...)
		for _, i := range later {
			rest = append(rest, batch[i])
		}
		queue = rest
	}
}
