package store

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

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

var noon = at("2026-11-20 12:00:00")

// shop is a service on a database of its own, with an INTAKE that the test keeps.
type shop struct {
	*Service
	intake atomic.Uint64 // the last sequence given out
}

func open(t testing.TB) *shop {
	t.Helper()
	db, err := sqldoc.Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	keys, err := seal.NewKeyring(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{}
	s.Service, err = New(context.Background(), Deps{
		DB: db, Clock: when.Fixed(noon), Log: slog.New(slog.DiscardHandler), Keys: keys,
		WaitIntake: func(context.Context) (uint64, error) { return s.intake.Load(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// withStores makes the brands aurora and breeze (CNY, Shanghai), the store s1 with both and the terminal t1, and the store s2 with
// aurora and the terminal t2.
func (s *shop) withStores(t testing.TB) *shop {
	t.Helper()
	ctx := context.Background()
	for _, id := range []string{"aurora", "breeze"} {
		if _, err := s.CreateBrand(ctx, NewBrand{ID: id, Name: id, Currency: "CNY", Timezone: "Asia/Shanghai", MaxAssignM: 30_000}); err != nil {
			t.Fatal(err)
		}
	}
	for i, brands := range [][]CarriedBrand{{{"aurora", ""}, {"breeze", ""}}, {{"aurora", ""}}} {
		id := fmt.Sprintf("s%d", i+1)
		in := NewStore{ID: id, Name: id, Ownership: storeevent.Direct, Brands: brands, Location: Location{Lat: 31.2, Lng: 121.4}, Open: true}
		if _, err := s.CreateStore(ctx, in); err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateTerminal(ctx, id, fmt.Sprintf("t%d", i+1)); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// message makes the items of one INTAKE message.
func (s *shop) message(t testing.TB, txs ...storeevent.Transaction) []stream.Item {
	t.Helper()
	seq := s.intake.Add(1)
	items := make([]stream.Item, len(txs))
	for i := range txs {
		data, err := wire.Marshal(txs[i])
		if err != nil {
			t.Fatal(err)
		}
		items[i] = stream.Item{Subject: stream.SubjectIntake, Seq: seq, Index: i, Of: len(txs), Data: data}
	}
	return items
}

func (s *shop) decideAll(t testing.TB, txs ...storeevent.Transaction) {
	t.Helper()
	if _, err := s.Decide(context.Background(), s.message(t, txs...)); err != nil {
		t.Fatal(err)
	}
}
