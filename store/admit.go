package store

import (
	"context"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/store/storeevent"
)

// Admit checks submissions against the set-up, those of one terminal or, without one, online orders, and answers each in its
// place: the transaction to be put into INTAKE, or why it is refused. When it returns, the brands of the admitted ones are
// noted as having accepted a transaction, so that nothing can be dated back behind them any more.
//
// It reads no storage but for what it sees for the first time: a brand's first transaction, a store, an original's terminal.
func (s *Service) Admit(ctx context.Context, terminal *Terminal, in []Submission) []Admission {
	out := make([]Admission, len(in))
	first := map[string]bool{} // brands without an accepted transaction so far
	for i := range in {
		tx, err := s.admit(ctx, terminal, &in[i])
		if err != nil {
			out[i].Err = err
			continue
		}
		out[i].Transaction = tx
		brands := *s.directory.brands.Load()
		for j := range tx.Lines {
			if b := brands[tx.Lines[j].Brand]; b.FirstAccepted == 0 {
				first[b.ID] = true
			}
		}
	}
	if len(first) == 0 {
		return out
	}
	if err := s.markAccepted(ctx, first); err != nil {
		for i := range out {
			if out[i].Err == nil {
				out[i] = Admission{Err: err}
			}
		}
	}
	return out
}

func (s *Service) admit(ctx context.Context, terminal *Terminal, sub *Submission) (*storeevent.Transaction, error) {
	env := setting{terminal: terminal, brands: *s.directory.brands.Load()}
	store := sub.Store
	if terminal != nil {
		store = terminal.Store
	}
	if store != "" {
		var err error
		if env.place, err = s.place(ctx, store); err != nil {
			if fault.Is(err, fault.NotFound) {
				return nil, errStore.At("store")
			}
			return nil, err
		}
	}
	for i := range sub.Lines {
		o := sub.Lines[i].Original
		if o == nil || o.Terminal == "" || terminal != nil && o.Terminal == terminal.ID {
			continue
		}
		_, err := s.Terminal(ctx, o.Terminal)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		if env.terminals == nil {
			env.terminals = map[string]bool{}
		}
		env.terminals[o.Terminal] = err == nil
	}
	return check(sub, &env)
}

// markAccepted notes that brands accept their first transaction now.
func (s *Service) markAccepted(ctx context.Context, first map[string]bool) error {
	err := s.change(ctx, func(ctx context.Context, tx docdb.Session) (storeevent.Changed, error) {
		var changed storeevent.Changed
		docs, err := s.brands.GetMany(ctx, tx, docdb.IDs(first)...)
		if err != nil {
			return changed, err
		}
		var marked []*brandDoc
		for _, id := range docdb.IDs(first) {
			if b := docs[id]; b != nil && b.FirstAccepted == 0 {
				b.FirstAccepted = s.clock.Now()
				marked = append(marked, b)
			}
		}
		if err := s.brands.SaveMany(ctx, tx, marked); err != nil {
			return changed, err
		}
		for _, id := range docdb.IDs(first) {
			if docs[id] != nil {
				changed.Brands = append(changed.Brands, docs[id].fact())
			}
		}
		return changed, nil
	})
	if err == nil {
		s.log.Info("brands accept their first transaction: nothing can be dated back any more", "brands", docdb.IDs(first))
	}
	return err
}
