// Package member knows who the customers are and what they hold: one member per person, a membership per brand, and cards, each
// of one program with its own points, growth and tier.
//
// # Words
//
//   - A member is one person, found by phone number. Claims say whose a number, a card number or an external id is, and since when:
//     a claim's id is the claim itself, so that two members can never hold the same one.
//   - A membership is a member's relation to one brand; it has cards, one per program. Every brand has the programs online and
//     store, so a member may hold two cards of a brand.
//   - A program is a brand's rules for one kind of card, in dated versions: what earns how many points and how much growth, when points
//     become usable and expire, and the tiers.
//   - An entry is one line of the points ledger: what an event did to one card, with the balance after it. Its id is the event's
//     and its position (pos/t1/sale/R7#1).
//
// # What always holds
//
//   - Entries are never changed or deleted. A card's balance and growth are the sums of its entries (E2), and a card's seq is their
//     number.
//   - An event takes effect once: its permanent row is written in the transaction of its effect.
//   - What an event gives depends on business times and dates only, never on when or in what order events arrive: the program
//     version in force, the cards held, and the tier held at the start of the business date. Tiers follow from the growth at the end
//     of each date, so an event that arrives late may change the tiers of later dates; then what was earned on those dates is
//     rated again, each difference an entry of its own.
//   - A phone number is readable nowhere but inside a member's sealed profile; everything else goes by its blind index.
//
// # Events
//
// In: storeevent.Verdict (applied transactions), by ProjectSales. Out, through the outbox: memberevent.Joined, CardOpened and
// TierChanged. Enrol asks the guide domain for an assignment after its own transaction; if the process dies between the two,
// the Joined fact finishes it.
package member
