// Package store is the shop domain: brands and their regions, dealers, stores, terminals, and the one verdict on every
// transaction that tills and online shops send.
//
// # Words
//
//   - A store carries brands and is run by its brand (direct), a franchisee or a dealer. Its terms (ownership, dealer, brands, time zone,
//     start of the day) are dated: a transaction is looked at under the terms of its business time, however late it comes.
//   - A terminal is a till of a store. Its secret signs its requests; it numbers what it sends, from 1 without gaps.
//   - An event is a transaction under its readable id: pos/<terminal>/<sale|return>/<receipt> or
//     order/<brand>/<channel>/<sale|return>/<order_no>[/<refund_no>]. An id is never used twice.
//   - A business date is the till's own where it sends one, at most a day off, else that of the business time in the store's zone,
//     with days that begin when the store's do; of an order the brand's.
//   - A store's day is what it did on a business date: each brand's sales, returns and orders, and of each till the sequences received
//     and the tally that its Z-report is compared with.
//
// # The way of a transaction
//
// Admit is the edge's check: what the request and the set-up show is refused there, with the field at fault, and nothing is
// accepted. It reads the set-up from memory. What it admits goes into INTAKE, and from there to Decide, which gives each item one
// outcome in the storage transaction that records it:
//
//   - applied: it counts, and the others are told.
//   - duplicate: the same id and content were accepted before; that outcome stands.
//   - waiting: a return one of whose sales has not come, or is dead. It is decided again when the sale is decided.
//   - anomaly: it contradicts what is recorded: other content under a known id (kept to be looked at), more returned of a line than was sold,
//     in pieces or in money, a line that the sale lacks or that is of another brand, a sale that was not applied; or its
//     business time lies more than 300 s after its arrival.
//   - rejected: impossible whatever else arrives, with the code of the check that it fails. The edge lets none through.
//   - dead: deciding failed again and again. The item is a dead letter and can be replayed.
//
// # What always holds
//
//   - Every item of INTAKE, known by its message's sequence and its place in the message, has exactly one outcome (E3): as the first
//     acceptance of its event, in the event's record, or else in a row of its own. An item that is delivered again is
//     neither a duplicate nor anything else new.
//   - What came back of a sale's line is never more than was sold, and each applied return says what came back before it.
//   - Outcomes do not depend on the order of arrival, but in two cases: of several contents under one id the first accepted counts, and of
//     returns that together exceed a sale those that are decided first are applied.
//   - A brand's first accepted transaction is noted before that transaction is accepted; from then on its currency and time zone stay, and
//     changes of its stores' terms take effect when they are made.
//   - The totals of a brand's date are the sums of its applied transactions (E2), and every stored answer to a Z-report is what
//     the records give up to its position (E7).
//   - Sealed phone numbers pass through unopened and are not kept: a return that waits goes on without.
//
// # Events
//
// In: storeevent.Transaction from INTAKE, by Decide. Out, through the outbox: storeevent.Verdict to SALES, a message for each applied
// transaction in the order of the decisions, so that a sale always comes before what is returned of it; storeevent.Changed to
// FACTS, for each change of brands, stores and terminals.
package store
