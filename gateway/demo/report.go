package demo

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// audit asks the server to check its equations.
func (d *demo) audit(ctx context.Context) error {
	var report struct {
		Checks []Check `json:"checks"`
	}
	if err := d.client.get(ctx, "/v1/audit", nil, &report); err != nil {
		return err
	}
	d.summary.takeAudit(report.Checks)
	return nil
}

// schedule ends the replay of the past: from now on the brands' days are closed every morning.
func (d *demo) schedule(ctx context.Context) error {
	for _, brand := range d.business.Brands {
		if err := d.client.send(ctx, http.MethodPatch, "/v1/brands/"+brand, object{"close_at": "10:00"}, nil); err != nil {
			return err
		}
	}
	d.say("schedule from now on each day is closed at 10:00 of the next")
	return nil
}

// makeUsers makes a user of each role, or gives those of an earlier run a new password, and says how to sign in.
func (d *demo) makeUsers(ctx context.Context) error {
	brand := d.business.Brands[0]
	store := d.business.Selling[0]
	for _, s := range d.business.Selling {
		if s.ID == d.business.FallbackStore(brand) {
			store = s
		}
	}
	password := rand.Text()
	users := []object{
		{"username": "hq", "role": "brand_hq", "brand": brand},
		{"username": "finance", "role": "finance", "brand": brand},
		{"username": "auditor", "role": "auditor", "brand": brand},
		{"username": "region", "role": "regional_manager", "brand": brand, "region": store.Region},
		{"username": "manager", "role": "store_manager", "store": store.ID},
		{"username": "guide", "role": "guide", "store": store.ID, "guide": GuideID(store.ID, 1)},
	}
	if dealers := d.set.Dealers(); len(dealers) > 0 {
		users = append(users, object{"username": "dealer", "role": "dealer_admin", "dealer": dealers[0]})
	}
	d.say("sign in  at %s with password %s as", d.BaseURL, password)
	for _, user := range users {
		name := fmt.Sprint(user["username"])
		user["password"] = password
		err := d.client.send(ctx, http.MethodPost, "/v1/users", user, nil)
		if exists(err) {
			err = d.client.send(ctx, http.MethodPost, "/v1/users/"+name+"/password", object{"password": password}, nil)
		}
		if err != nil {
			return err
		}
		scope := ""
		for _, field := range []string{"brand", "region", "dealer", "store", "guide"} {
			if value, ok := user[field]; ok {
				scope += fmt.Sprintf(" %s %s", field, value)
			}
		}
		d.say("           %-8s %s of%s", name, user["role"], scope)
	}
	return nil
}

// best are how many guides and stores the report names.
const best = 5

// report says at the end what came out.
func (d *demo) report() {
	s := d.summary
	d.say("")
	d.say("refused rows        %d (%s), one by one in %s", s.Refused.Total, counts(s.Refused.ByCode), s.Run.RefusedFile)
	d.say("members             %d, dual-card %d", s.Members, s.DualCardMembers)
	d.say("transactions        %s", counts(s.Transactions))
	if len(s.Run.Codes) > 0 {
		d.say("  not applied as    %s", counts(s.Run.Codes))
	}
	d.say("lines of returns    %d that name their sale, %d that do not", s.ReturnLines.Matched, s.ReturnLines.Unmatched)
	d.say("statements          %d, %s paid, %s carried on", s.Statements.Count, yuan(s.Statements.Total), yuan(s.Statements.Carried))
	for _, kind := range []string{"guide", "store", "dealer"} {
		payees := d.best(kind + " ")
		if len(payees) > 0 {
			d.say("best %ss", kind)
		}
		for _, payee := range payees {
			d.say("  %14s  %s", yuan(d.earned[kind+" "+payee]), payee)
		}
	}
	d.say("audit")
	for _, c := range s.Audit {
		verdict := "holds"
		if !c.OK {
			verdict = "FAILS"
		}
		d.say("  %s %s  %s  %s", c.ID, verdict, c.Name, counts(c.Figures))
		for _, problem := range c.Problems {
			d.say("       %s", problem)
		}
	}
}

// best are the payees of a kind who were paid most.
func (d *demo) best(kind string) []string {
	var payees []string
	for payee := range d.earned {
		if id, ok := strings.CutPrefix(payee, kind); ok {
			payees = append(payees, id)
		}
	}
	slices.SortFunc(payees, func(a, b string) int {
		return cmp.Or(cmp.Compare(d.earned[kind+b], d.earned[kind+a]), cmp.Compare(a, b))
	})
	return payees[:min(best, len(payees))]
}

func counts[N int | int64](by map[string]N) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%s %d", name, by[name]))
	}
	return strings.Join(parts, ", ")
}

// yuan writes an amount in fen as people read it.
func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s¥%d.%02d", sign, fen/100, fen%100)
}
