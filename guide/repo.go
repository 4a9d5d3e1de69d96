package guide

import (
	"context"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/when"
)

// load is what a guide has of one brand's members.
type load struct {
	docdb.Doc `json:",inline"` // guide|brand
	Members   int64            `json:"members"`  // bound to her now
	Assigned  int64            `json:"assigned"` // ever
}

func loadID(guide, brand string) string { return guide + "|" + brand }

// revision counts the changes of guides' terms and stores' managers, so that a process knows whether what it remembers of them is
// still true: one read instead of many.
type revision struct {
	docdb.Doc `json:",inline"`
	N         int64 `json:"n"`
}

const revisionID = "terms"

// unplaced marks a member whose binding for a brand is provisional, so that a purchase finds out without reading every buyer's.
type unplaced struct {
	docdb.Doc `json:",inline"` // member|brand
}

// attributed is the permanent row of an event: what it counted for whom.
type attributed struct {
	docdb.Doc `json:",inline"` // the event's id
	Guide     string           `json:"guide,omitempty"`  // as the transaction names her
	Member    string           `json:"member,omitempty"` // empty: anonymous
	At        when.Instant     `json:"at"`
}

// performance is what a guide sold of a brand on a business date.
type performance struct {
	docdb.Doc `json:",inline"` // guide|date|brand
	Guide     string           `json:"guide"`
	Brand     string           `json:"brand"`
	Date      when.Date        `json:"date"`
	Sales     int64            `json:"sales"`   // minor units
	Returns   int64            `json:"returns"` // minor units
	Orders    int64            `json:"orders"`  // sale receipts
}

func performanceID(guide string, date when.Date, brand string) string {
	return guide + "|" + string(date) + "|" + brand
}

type repo struct {
	guides      docdb.Collection[Guide]
	posts       docdb.Collection[post]
	bindings    docdb.Collection[bindings]
	loads       docdb.Collection[load]
	unplaced    docdb.Collection[unplaced]
	handovers   docdb.Collection[Handover]
	revisions   docdb.Collection[revision]
	attributed  docdb.Collection[attributed]
	performance docdb.Collection[performance]
}

func newRepo() repo {
	return repo{
		guides:      docdb.Define[Guide]("guides", docdb.By("leaving")),
		posts:       docdb.Define[post]("posts"),
		bindings:    docdb.Define[bindings]("bindings", docdb.By("guide"), docdb.By("store", "brand", "guide")),
		loads:       docdb.Define[load]("loads"),
		unplaced:    docdb.Define[unplaced]("unplaced"),
		handovers:   docdb.Define[Handover]("handovers"),
		revisions:   docdb.Define[revision]("revisions"),
		attributed:  docdb.Define[attributed]("attributed"),
		performance: docdb.Define[performance]("performance", docdb.By("guide", "date")),
	}
}

func (r *repo) schemas() []*docdb.Schema {
	return []*docdb.Schema{
		r.guides.Schema(), r.posts.Schema(), r.bindings.Schema(), r.loads.Schema(), r.unplaced.Schema(), r.handovers.Schema(), r.revisions.Schema(),
		r.attributed.Schema(), r.performance.Schema(),
	}
}

// raise notes in tx that somebody's terms have changed.
func (r *repo) raise(ctx context.Context, tx docdb.Session) error {
	return r.revisions.IncrementMany(ctx, tx, []docdb.Increment[revision]{
		{New: &revision{Doc: docdb.Doc{ID: revisionID}}, Inc: map[string]int64{"n": 1}},
	})
}

// number is how often somebody's terms have changed.
func (r *repo) number(ctx context.Context, s docdb.Session) (int64, error) {
	found, err := r.revisions.GetMany(ctx, s, revisionID)
	if doc := found[revisionID]; doc != nil {
		return doc.N, err
	}
	return 0, err
}
