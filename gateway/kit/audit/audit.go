// Package audit is the form in which domains report the equations E1–E8 over their stored data.
package audit

import "slices"

// Check is one equation, or a domain's part of it.
type Check struct {
	ID       string           `json:"id"`       // E1 … E8
	Name     string           `json:"name"`     // what is equal to what, in words
	OK       bool             `json:"ok"`       // whether it holds
	Figures  map[string]int64 `json:"figures"`  // both sides and what they are made of
	Problems []string         `json:"problems"` // the first violations, by id; no personal data
}

// MaxProblems is how many violations a check lists; it goes on counting them in Figures["violations"].
const MaxProblems = 20

// New makes a check that holds until Fail is called.
func New(id, name string) *Check {
	return &Check{ID: id, Name: name, OK: true, Figures: map[string]int64{"violations": 0}, Problems: []string{}}
}

// Fail records a violation.
func (c *Check) Fail(problem string) {
	c.OK = false
	c.Figures["violations"]++
	if len(c.Problems) < MaxProblems {
		c.Problems = append(c.Problems, problem)
	}
}

// Merge joins the parts that several domains have of the same equations, ordered by id. Figures are kept apart by the
// caller's names, so parts must use names that say whose they are.
func Merge(parts []Check) []Check {
	var merged []Check
	for _, p := range parts {
		i := slices.IndexFunc(merged, func(c Check) bool { return c.ID == p.ID })
		if i < 0 {
			merged = append(merged, p)
			continue
		}
		m := &merged[i]
		m.OK = m.OK && p.OK
		m.Name += "; " + p.Name
		violations := m.Figures["violations"] + p.Figures["violations"]
		for k, v := range p.Figures {
			m.Figures[k] = v
		}
		m.Figures["violations"] = violations
		m.Problems = append(m.Problems, p.Problems...)
	}
	slices.SortFunc(merged, func(a, b Check) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return merged
}
