package storeevent

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sale() Transaction {
	return Transaction{
		EventID: "pos/t-1/sale/R000123", Content: []byte{0xde, 0xad, 0xbe, 0xef}, Kind: Sale, Terminal: "t-1", Receipt: "R000123", Seq: 412,
		Channel: ChannelStore, Store: "s-1", Ownership: ByDealer, Dealer: "d-1", BusinessTime: 1795141865000, BusinessDate: "2026-11-20",
		ArrivedAt: 1795141866120, ClockOffset: 1120, AheadMillis: 3,
		Member: &MemberRef{Phone: "5e1f", Sealed: []byte{1, 2, 3}}, Guide: "g-17", Currency: "CNY",
		Lines: []Line{
			{Line: 1, SKU: "85123A", Category: "heart", Brand: "aurora", Qty: 2, UnitPrice: 4900, Discount: 500, Paid: 9300, Tax: 700, PointsPaid: 300},
			{Line: 2, SKU: "71053", Brand: "breeze", Qty: 1, UnitPrice: 339, Paid: 339},
		},
		Tenders: []Tender{{Type: "alipay", Amount: 9339, Reference: "2026112022001"}, {Type: "points", Amount: 300, Reference: "r-1"}},
	}
}

func refund() Verdict {
	tx := Transaction{
		EventID: "order/aurora/tmall/return/T-1/F-1", Content: []byte{1}, Kind: Return, Brand: "aurora", Channel: "tmall", OrderNo: "T-1", RefundNo: "F-1",
		BusinessTime: 1795141865000, BusinessDate: "2026-11-20", ArrivedAt: 1795141865000,
		Member: &MemberRef{Card: "O12345", Brands: []string{"aurora"}}, Currency: "CNY",
		Lines: []Line{{
			Line: 1, SKU: "85123A", Brand: "aurora", Qty: 1, UnitPrice: 4650, Paid: 4650,
			Original: &Original{EventID: "order/aurora/tmall/sale/T-1", Line: 1, SoldQty: 2, SoldPaid: 9300, QtyBefore: 1, PaidBefore: 4650},
		}},
	}
	return Verdict{Transaction: tx, IntakeSeq: 42, DecidedAt: 1795141866500}
}

func changed() Changed {
	return Changed{
		Brands: []Brand{{
			ID: "aurora", Name: "极光", Currency: "CNY", Timezone: "Asia/Shanghai", MaxAssignM: 30_000, FallbackStore: "s-1", CloseAt: "10:00",
			FirstAccepted: 1795141866120, Zones: []Zone{{"Asia/Shanghai", "04:00"}}, Rev: 3,
		}},
		Stores: []Store{{
			ID: "s-1", Name: "外滩店", Address: "中山东一路1号", City: "上海市", Ownership: ByDealer, Dealer: "d-1", Brands: map[string]string{"aurora": "31", "breeze": ""},
			Lat: 31.24, Lng: 121.49, Timezone: "Asia/Shanghai", DayStarts: "04:00", Open: true,
			ServiceArea: [][2]float64{{31, 121}, {32, 121}, {32, 122}}, Rev: 2,
		}},
		Terminals: []string{"t-1"},
	}
}

// TestGolden pins the payloads, as JSON for people and as they go over the wire. Where it fails the change breaks what is stored and
// under way: it has to be a new version.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]any{"transaction": sale(), "verdict": refund(), "changed": changed()} {
		asJSON, err := json.MarshalIndent(payload, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		asWire, err := wire.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", append(asJSON, '\n'))
		if name != "changed" { // its map has no order
			golden(t, name+".wire.hex", append([]byte(hex.EncodeToString(asWire)), '\n'))
		}
		back := reflect.New(reflect.TypeOf(payload))
		if err := wire.Unmarshal(asWire, back.Interface()); err != nil || !reflect.DeepEqual(back.Elem().Interface(), payload) {
			t.Errorf("%s: read back as %+v, %v", name, back.Elem().Interface(), err)
		}
	}
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s\nwant\n%s", file, got, want)
	}
}

// TestUnchanged reads as the Verdict that it stands for.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	tx := sale()
	raw, err := wire.Marshal(tx)
	if err != nil {
		t.Fatal(err)
	}
	data, err := wire.Marshal(Unchanged{Transaction: raw, IntakeSeq: 7, DecidedAt: 9})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := wire.Marshal(Verdict{Transaction: tx, IntakeSeq: 7, DecidedAt: 9})
	if err != nil || !bytes.Equal(data, plain) {
		t.Errorf("%x, want %x, %v", data, plain, err)
	}
}

func TestDayEnd(t *testing.T) {
	t.Parallel()
	b := Brand{Timezone: "Asia/Shanghai"}
	end := func() when.Instant {
		t.Helper()
		i, err := b.DayEnd("2026-11-20")
		if err != nil {
			t.Fatal(err)
		}
		return i
	}
	if got := end().String(); got != "2026-11-20T16:00:00.000Z" {
		t.Error(got)
	}
	b.Zones = []Zone{{"Asia/Tokyo", "00:00"}, {"Asia/Shanghai", "02:00"}}
	if got := end().String(); got != "2026-11-20T18:00:00.000Z" {
		t.Error(got)
	}
	b.Zones = append(b.Zones, Zone{"America/New_York", "00:00"})
	if got := end().String(); got != "2026-11-21T05:00:00.000Z" {
		t.Error(got)
	}
	for _, bad := range []Zone{{"Mars/Olympus", "00:00"}, {"UTC", "24:00"}, {"UTC", "9:00"}} {
		b.Zones = []Zone{bad}
		if _, err := b.DayEnd("2026-11-20"); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
