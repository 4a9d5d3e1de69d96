// Package commission pays guides, stores and dealers what the brands' plans say, to the fen and the next day.
//
// # Words
//
//   - A plan (佣金方案) is a brand's rules from a moment on, until its next plan starts. A plan never changes once it is made.
//   - A rule says what a line pays: a rate of its base or a fixed amount per unit. That amount is the line's pool, and the rule
//     splits it over roles into shares.
//   - A role (selling, serving, recruiting, manager, store) has a holder, who is paid; a payee is a guide, a store or a dealer.
//   - A booking is all that one event (a sale, a return, a refund) books: for each brand in it a part with lines, and on every
//     line one entry per role. An accrual (计提) pays, a clawback (佣金冲回) takes back.
//   - The booking day is the day whose books an entry stands in; the settlement day (结算日) the day whose statement pays it,
//     later where the plan holds commission back (冻结期).
//   - A close (关账) ends a day of a brand for good and writes its statements (结算单).
//
// # What always holds
//
//   - Every applied event has exactly one booking here, under the event's id, also when it books nothing. That row, written with
//     everything it changes in one transaction, is what makes a second delivery harmless. It never changes.
//   - An amount depends on the event, on facts as of its business time, and on nothing else: not on when it arrives, nor on what
//     arrived before it. What was looked up is pinned in the booking, so that any entry can be worked out again.
//   - The shares of a pool sum to floor(pool × Σ roles ÷ 10,000). Whatever the parts in which a line is returned, what is taken back
//     of each share sums to the share once everything is back, and comes from whoever got it.
//   - A day is open, then frozen, then closed, in order and without gaps, and never opens again. Nothing is booked on a day that
//     is not open: what belongs to an earlier day is booked on the first open one and keeps its date.
//   - Each payee's entries of a settlement day sum to that day's total of hers, which the day's statement takes over:
//     carried_in + Σ lines = amount paid + carried_out, and each carry goes into exactly one later statement.
//
// # In and out
//
// In: storeevent.Verdict from SALES (ProjectSales). Asked for at booking, in batches: the member that a transaction names, and the
// guides who hold the roles. Out: commissionevent.DayClosed, through the outbox.
//
// # How it is stored
//
//   - bookings: one document per event with all its entries, found again by the sale that it takes back.
//   - totals: what each payee's entries of a settlement day sum to, many payees to a page (page documents are what a batch
//     writes, so that it writes few). slips: what each batch added to a page, and by which events; they are how a statement's lines
//     are found, and never change.
//   - shards: the control totals of a booking day, and whether the day is open. Every batch raises one, in the transaction in which
//     it books.
//   - ledgers: per brand the one document that says how far days are frozen and closed and how many plans there are. Whoever makes
//     a day's shards, freezes days or adds a plan writes it, so that two of them cannot overlook each other.
//   - closes, statements, carries: what closing leaves behind. See docs/decisions/0009-closing.md.
//
// Totals and shards exist once per lane. A process keeps to one lane, so that processes do not wait for each other; the close
// adds the few lanes up.
package commission
