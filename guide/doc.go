// Package guide knows the shopping guides, which of them serves which member, and why.
//
// # Words
//
//   - A guide works in one store at a time, for some of the brands that it carries, as a guide or as its manager. Where she worked,
//     for which brands and as what are dated terms; they are never changed, only followed by others.
//   - A binding says which store and guide serve a member of a brand from a moment on. A member has at most one at a time for each
//     brand. A binding without a guide is in its store's pool; one without a store waits for a brand to have one.
//   - The recruiting guide is the one whose code brought the member; she is kept whatever happens to the binding.
//   - A guide's load is the number of members of a brand bound to her now, measured against her capacity.
//   - The roles selling, serving, recruiting and manager of a transaction are held by whoever held them at its business time.
//
// # What always holds
//
//   - A member's bindings for a brand are one document, so that there is one at a time, also when many enrol at once.
//   - A guide's load is the number of current bindings that name her, counted in the transactions that make and end them.
//   - Every binding keeps why it was made: the stores and guides looked at, their distances and loads.
//   - Whoever asks as of a moment gets the same answer whenever they ask, once that moment has passed: facts start when they are made
//     or later, and only before a brand's first accepted transaction may they be dated back.
//   - An event counts once: its permanent row is written in the transaction of its effect.
//
// # Assignment
//
// A new member of a brand goes
//
//  1. to the recruiting guide, on duty or not, while she works for the brand and has room;
//  2. to the store that the enrolment names;
//  3. to the nearest open store of the brand within the brand's greatest distance, inside whose service area the point lies where
//     it has one (where a recruiting guide is full and neither store nor location is known, her store counts as named);
//  4. where nobody there has room: to the next store within reach, else into the pool of the first store looked at;
//  5. where no store is in reach: to the brand's fallback store, which takes everybody.
//
// Within a store: to the lowest ratio of members to capacity among those on duty with room; if nobody is on duty, among all with
// room; ties by fewest assignments so far, then by id. Managers serve no members unless their capacity says so. A batch is decided
// as if its members came one by one; batches at the same time meet in the load documents.
//
// A member on a fallback, or on none, is assigned again when they share a location or buy in a store; everybody else keeps the first
// binding. A pool's members are given out, in the order of their ids, when a guide comes to the store or one of its guides is changed. A guide
// who leaves hands her members over by the same rule, starting in her store, 500 in a transaction.
//
// # Events
//
// In: memberevent.Joined finishes an assignment that the enrolment did not have done itself; storeevent.Verdict counts towards
// performance, and assigns a member again who is on a fallback and buys in a store. Out: guideevent.Bound, by the outbox.
package guide
