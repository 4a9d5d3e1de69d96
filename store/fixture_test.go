package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/sqldoc"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
	"scrm/store/storeevent"
)

var shanghai = time.FixedZone("+08", 8*3600)

func at(text string) when.Instant {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", text, shanghai)
	if err != nil {
		panic(err)
	}
	return when.Of(t)
}

const today = when.Date("2026-11-20")

var noon = at("2026-11-20 12:00:00")

// tester is what *testing.T, *testing.B and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// shop is a service on a database of its own, with an INTAKE that the test keeps.
type shop struct {
	*Service
	t      tester
	intake atomic.Uint64 // the last sequence given out
	time   *clock
}

// clock is a clock that a test moves.
type clock struct{ now atomic.Int64 }

func (c *clock) Now() when.Instant { return when.Instant(c.now.Load()) }

func open(t tester) *shop {
	t.Helper()
	dir, err := os.MkdirTemp("", "store")
	must(t, err)
	db, err := sqldoc.Open(filepath.Join(dir, "store.db"))
	must(t, err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		_ = os.RemoveAll(dir) // a leftover in the temporary folder harms nobody
	})
	return openOn(t, db)
}

func openOn(t tester, db docdb.DB) *shop {
	t.Helper()
	keys, err := seal.NewKeyring(make([]byte, seal.KeySize))
	must(t, err)
	s := &shop{t: t, time: &clock{}}
	s.time.now.Store(int64(noon))
	s.Service, err = New(context.Background(), Deps{
		DB: db, Clock: s.time, Log: slog.New(slog.DiscardHandler), Keys: keys,
		WaitIntake: func(context.Context) (uint64, error) { return s.intake.Load(), nil },
	})
	must(t, err)
	return s
}

func must(t tester, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// withStores makes the brands aurora and breeze (CNY, Shanghai), the store s1 with both and the terminals t1 and t3, and the store
// s2 with aurora and the terminal t2.
func (s *shop) withStores() *shop {
	s.t.Helper()
	ctx := context.Background()
	for _, id := range []string{"aurora", "breeze"} {
		_, err := s.CreateBrand(ctx, NewBrand{ID: id, Name: id, Currency: "CNY", Timezone: "Asia/Shanghai", MaxAssignM: 30_000})
		must(s.t, err)
	}
	s.store("s1", "aurora", "breeze")
	s.store("s2", "aurora")
	for terminal, store := range map[string]string{"t1": "s1", "t2": "s2", "t3": "s1"} {
		_, err := s.CreateTerminal(ctx, store, terminal)
		must(s.t, err)
	}
	return s
}

func (s *shop) store(id string, brands ...string) {
	s.t.Helper()
	in := NewStore{ID: id, Name: id, Ownership: storeevent.Direct, Location: Location{Lat: 31.2, Lng: 121.4}, Open: true}
	for _, b := range brands {
		in.Brands = append(in.Brands, CarriedBrand{Brand: b})
	}
	_, err := s.CreateStore(context.Background(), in)
	must(s.t, err)
}

func (s *shop) terminal(id string) *Terminal {
	s.t.Helper()
	terminal, err := s.Terminal(context.Background(), id)
	must(s.t, err)
	return terminal
}

// message makes the items of one INTAKE message.
func (s *shop) message(txs ...storeevent.Transaction) []stream.Item {
	s.t.Helper()
	seq := s.intake.Add(1)
	items := make([]stream.Item, len(txs))
	for i := range txs {
		data, err := wire.Marshal(txs[i])
		must(s.t, err)
		items[i] = stream.Item{Subject: stream.SubjectIntake, Seq: seq, Index: i, Of: len(txs), Data: data}
	}
	return items
}

// deliver has a message of transactions decided.
func (s *shop) deliver(txs ...storeevent.Transaction) []stream.Item {
	s.t.Helper()
	items := s.message(txs...)
	s.redeliver(items)
	return items
}

func (s *shop) redeliver(items []stream.Item) {
	s.t.Helper()
	later, err := s.Decide(context.Background(), items)
	must(s.t, err)
	if len(later) > 0 {
		s.t.Fatal("Decide put something off")
	}
}

// outcome is status and code of an event, "" if it is not decided.
func (s *shop) outcome(eventID string) string {
	s.t.Helper()
	found, err := s.Outcomes(context.Background(), []string{eventID})
	must(s.t, err)
	o, ok := found[eventID]
	if !ok {
		return ""
	}
	if o.Code == "" {
		return o.Status
	}
	return o.Status + " " + o.Code
}

// told are the verdicts that the outbox holds, in order.
func (s *shop) told() []storeevent.Verdict {
	s.t.Helper()
	type outgoing struct {
		docdb.Doc `json:",inline"`
		Subject   string `json:"subject"`
		Packed    []byte `json:"packed"`
		Items     int64  `json:"items"`
	}
	var out []storeevent.Verdict
	err := s.db.Scan(context.Background(), s.outbox.Schema(), docdb.Scan{Limit: docdb.MaxPage}, func(decode docdb.Decode) error {
		var row outgoing
		if err := decode(&row); err != nil || row.Subject != stream.SubjectSales {
			return err
		}
		for body := row.Packed; len(body) > 0; {
			n, width := binary.Uvarint(body)
			var v storeevent.Verdict
			if err := wire.Unmarshal(body[width:width+int(n)], &v); err != nil {
				return err
			}
			out = append(out, v)
			body = body[width+int(n):]
		}
		return nil
	})
	must(s.t, err)
	return out
}

// total is what a brand sold on a date in all stores together.
func (s *shop) total(brand string, date when.Date) brandDay {
	s.t.Helper()
	sum := brandDay{Brand: brand}
	for d, err := range s.days.Each(context.Background(), s.db, docdb.Query{}) {
		must(s.t, err)
		for _, b := range d.Brands {
			if d.Date == date && b.Brand == brand {
				sum.Sales, sum.Returns, sum.Orders = sum.Sales+b.Sales, sum.Returns+b.Returns, sum.Orders+b.Orders
			}
		}
	}
	return sum
}

// mustBalance fails unless every equation holds.
func (s *shop) mustBalance() {
	s.t.Helper()
	checks, err := s.Audit(context.Background())
	must(s.t, err)
	for _, c := range checks {
		if !c.OK {
			s.t.Fatalf("%s: %v %v", c.ID, c.Problems, c.Figures)
		}
	}
}

func (s *shop) figure(name string) int64 {
	s.t.Helper()
	checks, err := s.Audit(context.Background())
	must(s.t, err)
	for _, c := range checks {
		if v, ok := c.Figures[name]; ok {
			return v
		}
	}
	s.t.Fatalf("no figure %s", name)
	return 0
}

// sale is a till's sale with one line: qty pieces for amount together.
func sale(terminal, receipt string, seq, qty, amount int64) storeevent.Transaction {
	tx := storeevent.Transaction{
		EventID: POSEventID(terminal, storeevent.Sale, receipt), Kind: storeevent.Sale, Terminal: terminal, Receipt: receipt, Seq: seq,
		Channel: storeevent.ChannelStore, Store: map[string]string{"t1": "s1", "t2": "s2", "t3": "s1"}[terminal], Ownership: storeevent.Direct,
		BusinessTime: noon, BusinessDate: today, ArrivedAt: noon, Currency: "CNY",
	}
	return with(tx, storeevent.Line{Line: 1, SKU: "tea", Brand: "aurora", Qty: qty, UnitPrice: amount, Discount: amount*qty - amount, Paid: amount})
}

// with adds lines, and gives the transaction the content that it has then.
func with(tx storeevent.Transaction, lines ...storeevent.Line) storeevent.Transaction {
	tx.Lines = append(append([]storeevent.Line(nil), tx.Lines...), lines...)
	tx.Content = fmt.Append(nil, tx.EventID, tx.Seq, tx.BusinessDate, paid(&tx), len(tx.Lines))
	return tx
}

// giveBack is a till's return of qty pieces and amount of the first line of a sale.
func giveBack(terminal, receipt string, seq int64, of string, qty, amount int64) storeevent.Transaction {
	tx := sale(terminal, receipt, seq, 1, 1)
	tx.EventID, tx.Kind, tx.Lines = POSEventID(terminal, storeevent.Return, receipt), storeevent.Return, nil
	return with(tx, backLine(1, of, qty, amount))
}

func backLine(line int, of string, qty, amount int64) storeevent.Line {
	l := storeevent.Line{Line: line, SKU: "tea", Brand: "aurora", Qty: qty, Paid: amount, Original: &storeevent.Original{EventID: of, Line: 1}}
	if qty > 0 {
		l.UnitPrice, l.Discount = amount, amount*qty-amount
	}
	return l
}

// all is the query for everything.
var all docdb.Query

// outboxRows counts the outbox's rows of a subject.
func (s *shop) outboxRows(subject string) (n int, err error) {
	err = s.db.Scan(context.Background(), s.outbox.Schema(), docdb.Scan{Limit: docdb.MaxPage}, func(decode docdb.Decode) error {
		var row struct {
			docdb.Doc `json:",inline"`
			Subject   string `json:"subject"`
		}
		err := decode(&row)
		if row.Subject == subject {
			n++
		}
		return err
	})
	return n, err
}

func doc(id string) docdb.Doc { return docdb.Doc{ID: id} }
