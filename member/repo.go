package member

import (
	"context"
	"slices"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
)

// The collections of the member domain's database.
var (
	members   = docdb.Define[Member]("members", docdb.By("brands"))
	claims    = docdb.Define[claim]("claims")
	programs  = docdb.Define[Program]("programs")
	cards     = docdb.Define[Card]("cards")
	entries   = docdb.Define[Entry]("entries", docdb.By("card", "seq"))
	lots      = docdb.Define[lot]("lots")
	events    = docdb.Define[eventRow]("events")
	dayKeys   = docdb.Define[dayKey]("day_keys")
	strangers = docdb.Define[stranger]("strangers")
)

// eventRow is the permanent row of a transaction that took effect here, also of one that touched no card.
type eventRow struct {
	docdb.Doc `json:",inline"` // the event id
	Entries   int              `json:"entries,omitempty"` // they are <id>#1 … <id>#Entries
	Rerated   []string         `json:"rerated,omitempty"` // what follows # in the ids of the re-ratings of its entries
}

// entryIDs are the ids of all its entries.
func (e *eventRow) entryIDs() []string {
	ids := make([]string, 0, e.Entries+len(e.Rerated))
	for i := range e.Entries {
		ids = append(ids, entryID(e.ID, i+1))
	}
	for _, r := range e.Rerated {
		ids = append(ids, e.ID+"#"+r)
	}
	return ids
}

// lot is what has happened since to the points of an entry that expire: the entry's Points + Changed are what is left to be
// used or to expire. Without a lot nothing has.
type lot struct {
	docdb.Doc `json:",inline"` // the entry's id
	Card      string           `json:"card"`
	ExpiresOn when.Date        `json:"expires_on"`
	Changed   int64            `json:"changed"` // by returns and re-ratings
}

func schemas() []*docdb.Schema {
	return []*docdb.Schema{members.Schema(), claims.Schema(), programs.Schema(), cards.Schema(), entries.Schema(), lots.Schema(),
		events.Schema(), dayKeys.Schema(), strangers.Schema()}
}

// since reads the ratable entries of a card that may depend on a date or a later one, in order of booking.
func since(ctx context.Context, s docdb.Session, card string, d when.Date) ([]*Entry, error) {
	var found []*Entry
	for e, err := range entries.Each(ctx, s, docdb.Query{Index: "card_seq", Eq: []any{card}, Desc: true, Limit: 200}) {
		if err != nil {
			return nil, err
		}
		if e.Through < d {
			break
		}
		if e.ratable() {
			found = append(found, e)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// set is a set of ids, for docdb.Ids.
type set = map[string]bool
