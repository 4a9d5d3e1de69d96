package member_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/phone"
	"scrm/gateway/kit/when"
	"scrm/member"
	"scrm/store/storeevent"
)

// TestExamplesOfTheDocs runs every example of docs/members.md.
func TestExamplesOfTheDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/members.md")
	if err != nil {
		t.Fatal(err)
	}
	heading, examples := "", 0
	var lines []string
	inside := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "## "):
			heading = line[3:]
		case line == "```example":
			inside, lines = true, nil
		case line == "```" && inside:
			inside = false
			examples++
			example := lines
			t.Run(fmt.Sprintf("%s %d", heading, examples), func(t *testing.T) {
				t.Parallel()
				p := play{fixture: newFixture(t, "2026-03-20T12:00:00"), t: t, sales: map[string]*storeevent.Verdict{}, back: map[string]int64{}}
				for _, line := range example {
					p.line(line)
				}
				p.sound(t)
			})
		case inside:
			lines = append(lines, line)
		}
	}
	if examples < 10 {
		t.Fatalf("only %d examples", examples)
	}
}

// play carries out an example.
type play struct {
	*fixture
	t     *testing.T
	who   string // the member
	sales map[string]*storeevent.Verdict
	back  map[string]int64 // returned of each sale so far
}

const buyer = "13812345678"

func (p *play) line(line string) {
	p.t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	switch verb {
	case "number":
		p.number(rest)
	case "today":
		p.clock.now = at(words[0] + "T12:00:00")
	case "program":
		p.rules(words)
	case "enrol":
		p.enrols(words)
	case "sale":
		v := p.sale(words[0], words[1], buyer, p.amount(words[2]))
		if len(words) > 3 {
			v.Lines[0].Category = words[3]
		}
		v.Lines[0].PointsPaid = p.after(words, "paid_by_points")
		p.sales[words[0]] = v
		p.project(p.t, v)
	case "return":
		sale, paid := words[3], p.amount(words[4])
		p.project(p.t, p.giveBack(words[0], words[1], p.sales[sale], p.back[sale], paid))
		p.back[sale] += paid
	case "bare":
		v := p.sale(words[0], words[1], buyer, p.amount(words[2]))
		v.EventID, v.Kind = "pos/t1/return/"+words[0], storeevent.Return
		p.project(p.t, v)
	case "card":
		c := p.card(p.t, p.who, words[0])
		if got := fmt.Sprintf("available %d pending %d growth %d tier %s", c.Available, c.Pending, c.Growth, c.Tier); got != strings.Join(words[1:], " ") {
			p.t.Errorf("%s\nbut it is: %s", line, got)
		}
	case "entry":
		for _, e := range p.entries(words[0]) {
			if e.ID == words[1] && string(e.Kind) == words[2] && e.Points == p.amount(words[3]) {
				return
			}
		}
		p.t.Errorf("%s\nbut there is no such entry", line)
	case "left":
		p.left(line, words)
	default:
		p.t.Fatalf("what is %q?", line)
	}
}

func (p *play) number(rest string) {
	raw, want, _ := strings.Cut(rest, " is ")
	got, err := phone.Parse(raw)
	if err != nil {
		got = "refused " + fault.CodeOf(err)
	}
	if got != want {
		p.t.Errorf("%s is %s, not %s", raw, got, want)
	}
}

func (p *play) rules(words []string) {
	r := member.Rules{Earn: member.Earn{PointsPerUnit: p.after(words, "points"), Unit: p.after(words, "unit")}, GrowthPerUnit: p.after(words, "growth"),
		PendingDays: p.after(words, "pending"), ExpireMonths: p.after(words, "expire")}
	if times := p.after(words, "cake"); times > 0 {
		r.Earn.Categories = map[string]int64{"cake": times}
	}
	_, tiers, _ := strings.Cut(strings.Join(words, " "), " tiers ")
	for _, tier := range strings.Fields(tiers) {
		part := strings.Split(tier, ":")
		r.Tiers = append(r.Tiers, member.Tier{ID: part[0], Growth: p.amount(part[1]), MultiplierBps: p.amount(part[2])})
	}
	p.program(p.t, "aurora", words[0], r, words[1]+"T00:00:00")
}

// enrols reads: <program> <number> <date> <status> [level <tier>] [points <n>].
func (p *play) enrols(words []string) {
	names := map[string]member.EnrolStatus{"created": member.Created, "unified": member.Unified, "duplicate": member.Duplicate}
	for i, word := range words {
		want, ok := names[word]
		if !ok {
			continue
		}
		e := member.Enrolment{Brand: "aurora", Program: words[0], Phone: strings.Join(words[1:i-1], " "), JoinedAt: at(words[i-1] + "T00:00:00"), Points: p.after(words, "points")}
		if len(words) > i+2 && words[i+1] == "level" {
			e.Level = words[i+2]
		}
		result := p.tryEnrol(p.t, e)
		if result.Err != nil || result.Status != want {
			p.t.Errorf("%v: %+v", words, result)
		}
		p.who = result.Member
	}
}

func (p *play) left(line string, words []string) {
	left, err := p.Left(p.t.Context(), p.who+"|aurora|"+words[0])
	if err != nil {
		p.t.Fatal(err)
	}
	sale := "pos/t1/sale/" + words[1]
	var expires when.Date
	for _, e := range p.entries(words[0]) {
		if e.Event() == sale {
			expires = e.ExpiresOn
		}
	}
	if got := fmt.Sprintf("%d expires %s", left[sale], expires); got != strings.Join(words[2:], " ") {
		p.t.Errorf("%s\nbut it is: %s", line, got)
	}
}

func (p *play) entries(program string) []*member.Entry {
	page, err := p.Ledger(p.t.Context(), p.who, "aurora", program, 100, "")
	if err != nil {
		p.t.Fatal(err)
	}
	return page.Items
}

// after is the number behind a word, 0 if the word is not there.
func (p *play) after(words []string, word string) int64 {
	for i := range words[:max(0, len(words)-1)] {
		if words[i] == word {
			return p.amount(words[i+1])
		}
	}
	return 0
}

func (p *play) amount(word string) int64 {
	p.t.Helper()
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}
