package commission

import (
	"context"
	"strings"
	"testing"

	"scrm/gateway/kit/docdb"
)

// raise adds to a payee's total of the 24th without an entry.
func raise(ctx context.Context, s *Service, tx docdb.Session, p Payee, sum int64) error {
	id := totalID(pageKey("aurora", "2026-11-24", pageOf(p)), s.lane)
	found, err := s.repo.totals.GetMany(ctx, tx, id)
	if err != nil {
		return err
	}
	t := found[id]
	if t == nil {
		t = &total{Doc: docdb.Doc{ID: id}}
	}
	t.Sheet = t.Sheet.merged(&sheet{Payees: []Payee{p}, Sums: []int64{sum}, Counts: []int64{1}})
	return s.repo.totals.Replace(ctx, tx, t)
}

// TestAuditFindsWhatIsWrong spoils the stored books in every way that an equation is about.
func TestAuditFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	v := sale("1", "2026-11-20", "aurora", 10_000)
	for name, c := range map[string]struct {
		broken string // the equation that fails first, and a word of its problem
		spoil  func(ctx context.Context, s *Service, tx docdb.Session) error
	}{
		"nothing": {"", func(context.Context, *Service, docdb.Session) error { return nil }},
		"an entry's figure": {"E1 facts give", func(ctx context.Context, s *Service, tx docdb.Session) error {
			b, err := s.repo.bookings.Get(ctx, tx, v.EventID)
			if err != nil {
				return err
			}
			b.Parts[0].Lines[0].Shares[0].Figure++
			return s.repo.bookings.Replace(ctx, tx, b)
		}},
		"a pool": {"E1 pool", func(ctx context.Context, s *Service, tx docdb.Session) error {
			b, err := s.repo.bookings.Get(ctx, tx, v.EventID)
			if err != nil {
				return err
			}
			b.Parts[0].Lines[0].Pool++
			return s.repo.bookings.Replace(ctx, tx, b)
		}},
		"a lost return": {"E2 not its entries", func(ctx context.Context, s *Service, tx docdb.Session) error {
			return s.repo.bookings.Delete(ctx, tx, "pos/t-1/return/2")
		}},
		"a payee's total": {"E2 sums of its slips", func(ctx context.Context, s *Service, tx docdb.Session) error {
			return raise(ctx, s, tx, "guide:g-sell", 1)
		}},
		"a total of nobody's entries": {"E2 no slips", func(ctx context.Context, s *Service, tx docdb.Session) error {
			return raise(ctx, s, tx, "guide:ghost", 1)
		}},
		"a lost slip": {"E2 not its entries", func(ctx context.Context, s *Service, tx docdb.Session) error {
			key := pageKey("aurora", "2026-11-20", pageOf("guide:g-sell"))
			_, err := s.repo.slips.DeleteRange(ctx, tx, key, after(key))
			return err
		}},
		"an event that a slip leaves out": {"E2 not its entries", func(ctx context.Context, s *Service, tx docdb.Session) error {
			key := pageKey("aurora", "2026-11-20", pageOf("guide:g-sell"))
			page, err := s.repo.slips.Find(ctx, tx, docdb.Query{From: key, To: after(key)})
			if err != nil {
				return err
			}
			page.Items[0].Events[0] = nil
			return s.repo.slips.Replace(ctx, tx, page.Items[0])
		}},
		"a statement's lines": {"E5 sum of its lines", func(ctx context.Context, s *Service, tx docdb.Session) error {
			st, err := s.repo.statements.Get(ctx, tx, "aurora.2026-11-20.guide.g-sell")
			if err != nil {
				return err
			}
			st.LinesTotal, st.Amount = st.LinesTotal+1, st.Amount+1
			return s.repo.statements.Replace(ctx, tx, st)
		}},
		"a statement's amount": {"E5 add up", func(ctx context.Context, s *Service, tx docdb.Session) error {
			st, err := s.repo.statements.Get(ctx, tx, "aurora.2026-11-20.guide.g-sell")
			if err != nil {
				return err
			}
			st.Amount++
			return s.repo.statements.Replace(ctx, tx, st)
		}},
		"a lost statement": {"E5 statements have lines", func(ctx context.Context, s *Service, tx docdb.Session) error {
			return s.repo.statements.Delete(ctx, tx, "aurora.2026-11-20.guide.g-sell")
		}},
		"a lost carry": {"E5 carried", func(ctx context.Context, s *Service, tx docdb.Session) error {
			return s.repo.carries.Delete(ctx, tx, carryID("aurora", "guide:gm-s-1"))
		}},
		"a broken chain": {"E5 take over", func(ctx context.Context, s *Service, tx docdb.Session) error {
			st, err := s.repo.statements.Get(ctx, tx, "aurora.2026-11-21.guide.gm-s-1")
			if err != nil {
				return err
			}
			st.CarriedIn, st.CarriedOut = 0, st.CarriedOut-st.CarriedIn
			return s.repo.statements.Replace(ctx, tx, st)
		}},
		"control totals": {"E6 counts", func(ctx context.Context, s *Service, tx docdb.Session) error {
			all, err := s.allShards(ctx, tx, "aurora", "2026-11-24")
			if err != nil {
				return err
			}
			all[s.lane].Amount++
			return s.repo.shards.Replace(ctx, tx, all[s.lane])
		}},
		"lost control totals": {"E6 does not count", func(ctx context.Context, s *Service, tx docdb.Session) error {
			return s.repo.shards.Delete(ctx, tx, newShard("aurora", "2026-11-24", s.lane).ID)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSQLite(t, newWorld("aurora"))
			terms := simple()
			terms.MinPayout = 100
			makePlan(t, s, "aurora", day("2026-01-01"), terms)
			project(t, s, v, giveBack("1", "2026-11-21", v, 1, 0, 4_000), giveBack("2", "2026-11-24", v, 1, 4_000, 6_000), sale("3", "2026-11-24", "aurora", 99))
			closeThrough(t, s, "aurora", "2026-11-22")
			mustAudit(t, s)
			if err := s.deps.DB.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error { return c.spoil(ctx, s, tx) }); err != nil {
				t.Fatal(err)
			}
			checks, err := s.Audit(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			equation, word, _ := strings.Cut(c.broken, " ")
			found := c.broken == ""
			for _, check := range checks {
				if c.broken == "" && !check.OK {
					t.Errorf("%s fails: %q", check.ID, check.Problems)
				}
				if check.ID == equation && !check.OK && strings.Contains(strings.Join(check.Problems, "\n"), word) {
					found = true
				}
			}
			if !found {
				t.Errorf("%q is not found: %+v", c.broken, checks)
			}
		})
	}
}
