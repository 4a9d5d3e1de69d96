// Package stream carries events between the edge and the domains over NATS JetStream, embedded or external: three streams, a
// publisher that groups what arrives together into packed messages, durable consumers that work in batches, the
// outbox relay, and dead letters. Its interface names no NATS type.
package stream

import "context"

// The streams.
const (
	Intake = "INTAKE" // accepted transactions, storeevent.Transaction
	Sales  = "SALES"  // applied transactions, storeevent.Verdict
	Facts  = "FACTS"  // what else the domains tell each other

	Schedules = "SCHEDULES" // the schedules of Bus.Schedule, and what they trigger
)

// The subjects. A message holds items of its subject's one type.
const (
	SubjectIntake       = "intake"
	SubjectSales        = "sales"
	SubjectStoreChanged = "facts.store.changed"         // storeevent.Changed
	SubjectJoined       = "facts.member.joined"         // memberevent.Joined
	SubjectCardOpened   = "facts.member.card_opened"    // memberevent.CardOpened
	SubjectTierChanged  = "facts.member.tier_changed"   // memberevent.TierChanged
	SubjectBound        = "facts.guide.bound"           // guideevent.Bound
	SubjectDayClosed    = "facts.commission.day_closed" // commissionevent.DayClosed

	SubjectTriggers = "triggers." // begins the subjects that schedules publish on; a schedule's name follows
)

// Limits of one packed message.
const (
	MaxItems    = 1000
	MaxBytes    = 256 << 10
	MaxItemSize = 900 << 10 // a larger item is refused; one over MaxBytes travels alone
)

// Item is one event of a packed message.
type Item struct {
	Subject string
	Seq     uint64 // the message's stream sequence
	Index   int    // its position in the message
	Of      int    // how many items the message holds
	Data    []byte // wire-encoded payload, valid during the handler's call only
}

// Handler works off a batch of items, from one or several messages, in stream order. What it has done when it returns nil is
// acknowledged. later lists positions in items that cannot be done yet (a return whose sale is not booked here): their messages
// are delivered again after a while, which is no failed try; so a handler must take items that it has done already as
// harmless. An error fails the batch: it is tried again in smaller parts until the item at fault is alone; after a bounded number
// of tries (one, where the error is fault.Invalid) that item goes to the consumer's Dead.
type Handler func(ctx context.Context, items []Item) (later []int, err error)
