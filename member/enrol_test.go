package member_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/docdb/docdbtest"
	"scrm/gateway/kit/docdb/sqldoc"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/when"
	"scrm/member"
	"scrm/member/memberevent"
)

func TestEnrol(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	f.program(t, "aurora", "online", rules(), "2020-01-01T00:00:00")
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	results, err := f.Enrol(t.Context(), []member.Enrolment{
		{Brand: "aurora", Program: "online", Phone: "+8613812345678", ExternalID: "O1", JoinedAt: at("2026-01-01T00:00:00")},
		{Brand: "aurora", Program: "online", Phone: "+8613812345678", ExternalID: "O2", Name: "李雷", Consent: member.Consent{Version: "2", At: at("2026-02-01T00:00:00")}},
		{Brand: "aurora", Program: "store", Phone: "+8613812345678", Store: "s-1", Name: "韩梅梅"},
		{Brand: "breeze", Program: "store", Phone: "+8613812345678"},
		{Brand: "aurora", Program: "store", Phone: "+8613812345679", ExternalID: "O1"},
		{Brand: "aurora", Program: "gold", Phone: "+8613812345679"},
		{Brand: "nobody", Program: "store", Phone: "+8613812345679"},
		{Brand: "aurora", Program: "store", Phone: "+8613812345679", JoinedAt: at("2026-11-22T12:06:00")},
		{Brand: "aurora", Program: "store", Phone: "+8613812345679", Level: "白金"},
		{Brand: "aurora", Program: "store", Phone: "+8613812345679", Name: "a\x00b"},
		{Brand: "aurora", Program: "store", Phone: "+8613812345679", Level: "金卡", Points: 70},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range results {
		switch {
		case r.Err != nil:
			got = append(got, fault.CodeOf(r.Err))
		case r.Assignment.Guide != "g-1" || r.Assignment.Member != r.Member:
			t.Fatalf("without its assignment: %+v", r)
		default:
			got = append(got, fmt.Sprint(r.Status))
		}
	}
	want := []string{"1", "4", "3", "2", "external_id_taken", "unknown_program", "unknown_brand", "joined_in_the_future", "unknown_level", "invalid_name", "1"}
	if !slices.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	p, err := f.Person(t.Context(), results[0].Member)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "李雷" || p.PhoneMasked != "138****5678" || len(p.Memberships) != 2 || len(p.Memberships[0].Cards) != 2 ||
		p.Memberships[0].JoinedAt != at("2026-01-01T00:00:00") || p.Memberships[0].Cards[0].ExternalID != "O1" || p.Memberships[0].Cards[0].Tier != "v1" {
		t.Fatalf("%+v", p)
	}
	if c := f.card(t, results[10].Member, "store"); c.Tier != "v3" || c.Growth != 5_000 || c.Available != 70 {
		t.Fatalf("%+v", c)
	}
	found, err := f.ByPhone(t.Context(), "+8613812345679")
	if err != nil || found != results[10].Member {
		t.Fatal(found, err)
	}
	f.sound(t)
}

func TestFactsDatedBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	early := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00"), ExternalID: "S1"})
	f.brands.accept(at("2026-11-22T12:30:00"))
	f.clock.now = at("2026-11-22T13:00:00")
	late := f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: "13912345678", JoinedAt: at("2026-01-01T00:00:00"), ExternalID: "S2"})
	f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, JoinedAt: at("2026-01-01T00:00:00"), ExternalID: "S3"})
	at := func(s string, ref memberevent.Ref) memberevent.Ref { ref.At = at(s); return ref }
	phone := func(raw string) memberevent.Ref { return memberevent.Ref{Phone: f.index(raw)} }
	ext := func(n string) memberevent.Ref { return memberevent.Ref{Card: n, Brands: []string{"cedar", "aurora"}} }
	got, err := f.Resolve(t.Context(), []memberevent.Ref{
		at("2025-12-31T23:59:59", phone(li)), at("2026-01-01T00:00:00", phone(li)), at("2026-01-01T00:00:00", ext("S1")),
		at("2026-11-22T12:59:59", phone("13912345678")), at("2026-11-22T13:00:00", phone("13912345678")), at("2026-11-22T13:00:00", ext("S2")),
		at("2026-11-22T12:59:59", ext("S3")), at("2026-11-22T13:00:00", ext("S3")),
		{ID: early}, {ID: "nobody"}, {}, {Card: "S1", Brands: []string{"breeze"}, At: f.clock.now},
	})
	want := []string{"", early, early, "", late, late, "", early, early, "", "", ""}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v %v, want %v", got, err, want)
	}
	if !f.assign.calls[0].Backdated || f.assign.calls[1].Backdated || f.assign.calls[1].At != f.clock.now {
		t.Fatalf("%+v", f.assign.calls)
	}
	p, err := f.Person(t.Context(), late)
	if err != nil || p.Memberships[0].JoinedAt == f.clock.now {
		t.Fatalf("an earlier joined_at is shown: %+v %v", p, err)
	}
	number, err := f.Resolve(t.Context(), []memberevent.Ref{
		{Card: p.Memberships[0].Cards[0].Number, Brands: []string{"aurora"}, At: f.clock.now}, {Card: p.Memberships[0].Cards[0].Number, Brands: []string{"breeze"}, At: f.clock.now}})
	if err != nil || !slices.Equal(number, []string{late, ""}) {
		t.Fatal(number, err)
	}
}

func TestAssignmentIsFinishedAfterAFailure(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	f.assign.fail = errors.New("guide is away")
	batch := []member.Enrolment{{Brand: "aurora", Program: "store", Phone: "+8613812345678", Store: "s-9"}}
	if _, err := f.Enrol(t.Context(), batch); !errors.Is(err, f.assign.fail) {
		t.Fatal(err)
	}
	// The fact has left for the guide domain, and the same call again finds the membership and has it assigned.
	type row struct {
		docdb.Doc `json:",inline"`
		Subject   string `json:"subject"`
	}
	outbox := docdb.Define[row]("outbox")
	if err := f.db.Ensure(t.Context(), outbox.Schema()); err != nil {
		t.Fatal(err)
	}
	rows, err := outbox.Find(t.Context(), f.db, docdb.Query{})
	if err != nil || len(rows.Items) != 2 || rows.Items[0].Subject != "facts.member.joined" {
		t.Fatalf("%+v %v", rows.Items, err)
	}
	f.assign.fail = nil
	results, err := f.Enrol(t.Context(), batch)
	if err != nil || results[0].Status != member.Duplicate || results[0].Assignment.Store != "s-9" {
		t.Fatalf("%+v %v", results, err)
	}
}

// bothEngines runs a test on SQLite and on a real MongoDB server.
func bothEngines(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) docdb.DB{"sqlite": docdbtest.SQLite, "mongodb": docdbtest.Mongo} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixtureOn(t, open(t), "2026-11-22T12:00:00"))
		})
	}
}

func TestConcurrentEnrolmentsOfTheSameNumbers(t *testing.T) {
	t.Parallel()
	bothEngines(t, raceForNumbers)
}

func raceForNumbers(t *testing.T, f *fixture) {
	t.Helper()
	const people, writers = 60, 16
	var made [member.Duplicate + 1]atomic.Int64
	var group sync.WaitGroup
	for writer := range writers {
		group.Go(func() {
			for i := range people {
				n := (i*7 + writer*13) % people
				program := []string{"online", "store"}[writer/2%2]
				e := member.Enrolment{Brand: "aurora", Program: program, Phone: fmt.Sprintf("+86138%08d", n)}
				results := make([]member.EnrolResult, 1)
				var err error
				if writer%2 == 0 {
					results[0], err = f.EnrolOne(t.Context(), e)
				} else {
					results, err = f.Enrol(t.Context(), []member.Enrolment{e})
				}
				if err != nil || results[0].Err != nil {
					t.Error(err, results)
					return
				}
				made[results[0].Status].Add(1)
			}
		})
	}
	group.Wait()
	if figures := f.sound(t)["E8"].Figures; figures["members"] != people || figures["phone_numbers"] != people {
		t.Fatal(figures)
	}
	if made[member.Created].Load() != people || made[member.Unified].Load() != people || made[member.Duplicate].Load() != (writers-2)*people {
		t.Fatal(made[member.Created].Load(), made[member.Unified].Load(), made[member.Duplicate].Load())
	}
}

func TestNumbersAreNowhereReadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sqldoc.Open(filepath.Join(dir, "member.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	f := newFixtureOn(t, db, "2026-11-22T12:00:00")
	f.program(t, "aurora", "store", rules(), "2020-01-01T00:00:00")
	f.enrol(t, member.Enrolment{Brand: "aurora", Program: "store", Phone: li, Name: "李雷李雷", ExternalID: "S1"})
	f.project(t, f.sale("R1", "2026-11-22T13:00:00", li, 100), f.sale("R2", "2026-11-22T13:00:00", "13912345678", 100))
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	seen := false
	for _, file := range files {
		stored, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for _, planted := range []string{li, "13912345678", "李雷李雷"} {
			if bytes.Contains(stored, []byte(planted)) {
				t.Errorf("%s holds a number or a name", file.Name())
			}
		}
		seen = seen || bytes.Contains(stored, []byte("x/aurora/S1"))
	}
	if !seen {
		t.Error("the files do not hold the enrolment at all")
	}
}

func TestStrangersAreForgotten(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	key, err := f.DayKey(t.Context(), "2026-11-22")
	if err != nil || len(key) != 32 {
		t.Fatal(err)
	}
	again, err := f.DayKey(t.Context(), "2026-11-22")
	if err != nil || !slices.Equal(again, key) {
		t.Fatal("a day has one key", err)
	}
	f.project(t, f.sale("R1", "2026-11-22T13:00:00", "13912345678", 100), f.sale("R2", "2026-11-22T14:00:00", "13912345678", 100),
		f.sale("R3", "2026-11-23T14:00:00", "13912345678", 100))
	if kept, err := f.Strangers(t.Context()); err != nil || !maps.Equal(kept, map[when.Date]int{"2026-11-22": 1, "2026-11-23": 1}) {
		t.Fatalf("%v %v: a number is kept once a day", kept, err)
	}
	f.clock.now = at("2026-11-23T12:00:00") + when.Instant(member.StrangersKept.Milliseconds())
	if err := f.ForgetStrangers(t.Context()); err != nil {
		t.Fatal(err)
	}
	if kept, err := f.Strangers(t.Context()); err != nil || !maps.Equal(kept, map[when.Date]int{"2026-11-23": 1}) {
		t.Fatal(kept, err)
	}
	fresh, err := f.DayKey(t.Context(), "2026-11-22")
	if err != nil || slices.Equal(fresh, key) {
		t.Fatal("the day's key was not destroyed", err)
	}
}

const export = "external_id,phone,name,level,points,joined,store,brand\n"

func TestImport(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	for _, p := range []string{"online", "store"} {
		f.program(t, "aurora", p, rules(), "2010-01-01T00:00:00")
	}
	rows := export + `S1,+86 138 1234 5678,李雷,银卡,9822,2010-12-01,s-1,aurora
S2,１３９１２３４５６７８,,v1,0,2010-12-02,,aurora
S3,13812345678,李雷二,v3,5,2010-12-03,,aurora
S4,010-82345678,,v1,1,2010-12-01,,aurora
S5,,,v1,1,2010-12-01,,aurora
S6,1381234567,,v1,1,2010-12-01,,aurora
S7,13712345678,,白金,1,2010-12-01,,aurora
S8,13712345678,,v1,1,2010-12-01,aurora
S9,13712345678,,v1,1,2010-12-01,,aurora,more
S10,13712345678,,v1,-1,2010-12-01,,aurora
S11,13712345678,,v1,1,01/12/2010,,aurora
S12,13712345678,,v1,1,2010-12-01,,nobody
S1,13712345678,,v1,1,2010-12-01,,aurora
S13,13712345678,` + "\xff" + `,v1,1,2010-12-01,,aurora
S14,13712345678,"x"y",v1,1,2010-12-01,,aurora
S15,13712345678,"quoted, with a comma",,,,,aurora
`
	report, err := f.Import(t.Context(), member.Import{Program: "store", Rows: strings.NewReader("\ufeff" + rows)})
	if err != nil {
		t.Fatal(err)
	}
	if report.Created != 3 || report.Duplicates != 1 || report.Unified != 0 || report.Updated != 0 {
		t.Fatalf("%+v", report)
	}
	var got []string
	for _, r := range report.Rejected {
		got = append(got, fmt.Sprintf("%d %s", r.Row, r.Code))
		if strings.Contains(r.Detail, "82345678") {
			t.Error("a refusal repeats the number")
		}
	}
	want := []string{"4 phone_not_mobile", "5 phone_missing", "6 phone_malformed", "8 missing_column", "9 extra_column", "10 invalid_points",
		"11 invalid_date", "12 unknown_brand", "14 invalid_utf8", "15 malformed_row", "7 unknown_level", "13 external_id_taken"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("refused %v,\nwant    %v", got, want)
	}
	first, err := f.ByPhone(t.Context(), "+8613812345678")
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Person(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if c := f.card(t, first, "store"); p.Name != "李雷" || c.Tier != "v2" || c.Growth != 1_000 || c.Available != 9_822 || c.ExternalID != "S1" {
		t.Fatalf("%+v", p)
	}
	found, err := f.Resolve(t.Context(), []memberevent.Ref{{Card: "S3", Brands: []string{"aurora"}, At: at("2010-12-03T00:00:00")},
		{Card: "S3", Brands: []string{"aurora"}, At: at("2010-12-02T23:59:59")}})
	if err != nil || !slices.Equal(found, []string{first, ""}) {
		t.Fatalf("a repeated row's external id identifies too, from its joined on: %v %v", found, err)
	}

	// The same file again, and the other system's.
	report, err = f.Import(t.Context(), member.Import{Program: "store", Rows: strings.NewReader(rows)})
	if err != nil || report.Created != 0 || report.Duplicates != 4 || len(report.Rejected) != len(want) {
		t.Fatalf("%+v %v", report, err)
	}
	report, err = f.Import(t.Context(), member.Import{Program: "online", Rows: strings.NewReader(export + "O1,13812345678,,,5,,,aurora\nO9,13612345678,,,,,,aurora\nO2,13912345678,,,,,,breeze\n")})
	if err != nil || report.Created != 1 || report.Unified != 1 || report.Updated != 1 || len(report.Rejected) != 0 {
		t.Fatalf("%+v %v", report, err)
	}
	if figures := f.sound(t)["E4"].Figures; figures["points_opening"] != 9_822+5 || figures["points_balances"] != 9_827 {
		t.Fatal(figures)
	}
}

func TestImportRefusesWhatIsNoExport(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	for name, c := range map[string]struct{ body, code string }{
		"empty":  {"", "not_csv"},
		"json":   {`{"a":1}`, "not_csv"},
		"binary": {"\xff\xfe\x00\x01", "not_csv"},
		"column": {"external_id,phone,name,level,points,joined,store\n", "missing_header"},
	} {
		_, err := f.Import(t.Context(), member.Import{Program: "store", Rows: strings.NewReader(c.body)})
		if !fault.Is(err, fault.Invalid) || fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("connection lost")
	_, err := f.Import(t.Context(), member.Import{Program: "store", Rows: &breaking{rows: export + "S1,13812345678,,,,,,aurora\n", err: broken}})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
	report, err := f.Import(t.Context(), member.Import{Program: "store", Brand: "breeze", Rows: strings.NewReader(export + "S1,13812345678,,,,,,aurora\n")})
	if err != nil || len(report.Rejected) != 1 || report.Rejected[0].Code != "other_brand" {
		t.Errorf("%+v %v", report, err)
	}
}

// breaking gives its rows and then fails.
type breaking struct {
	rows string
	err  error
}

func (b *breaking) Read(p []byte) (int, error) {
	if b.rows == "" {
		return 0, b.err
	}
	n := copy(p, b.rows)
	b.rows = b.rows[n:]
	return n, nil
}

func TestPutProgram(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	put := func(r member.Rules, from when.Instant) (member.Version, string) {
		v, err := f.PutProgram(t.Context(), "aurora", "store", r, from)
		if err != nil {
			return v, fault.CodeOf(err)
		}
		return v, ""
	}
	first, code := put(rules(), at("2020-01-01T00:00:00"))
	if code != "" || first.Number != 1 || first.FirstDate != "2020-01-01" {
		t.Fatal(first, code)
	}
	richer := rules()
	richer.Earn.PointsPerUnit = 2
	if v, code := put(richer, at("2020-01-01T00:00:00")); code != "" || v.Number != 1 {
		t.Fatal("nothing hangs on it: it is replaced", v, code)
	}
	if v, code := put(rules(), at("2019-01-01T08:00:00")); code != "" || v.Number != 2 || v.FirstDate != "2019-01-02" {
		t.Fatal("an earlier one", v, code)
	}
	f.brands.accept(f.clock.now)
	if _, code := put(rules(), at("2021-01-01T00:00:00")); code != "start_in_the_past" {
		t.Fatal(code)
	}
	if v, code := put(richer, at("2020-01-01T00:00:00")); code != "" || v.Number != 1 {
		t.Fatal("what is there already may be said again", v, code)
	}
	if v, code := put(richer, 0); code != "" || v.Number != 1 {
		t.Fatal("what is in force already changes nothing", v, code)
	}
	if v, code := put(rules(), 0); code != "" || v.Number != 3 || v.From != f.clock.now || v.FirstDate != "2026-11-23" {
		t.Fatal(v, code)
	}
	p, err := f.Program(t.Context(), "aurora", "store")
	if err != nil || len(p.Versions) != 3 {
		t.Fatal(p, err)
	}
}

func TestPutProgramRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "2026-11-22T12:00:00")
	for code, change := range map[string]func(*member.Rules){
		"earn.unit out_of_range":                    func(r *member.Rules) { r.Earn.Unit = 0 },
		"earn.points_per_unit out_of_range":         func(r *member.Rules) { r.Earn.PointsPerUnit = -1 },
		"pending_days out_of_range":                 func(r *member.Rules) { r.PendingDays = -1 },
		"expire_months out_of_range":                func(r *member.Rules) { r.ExpireMonths = 1_201 },
		"growth_per_unit out_of_range":              func(r *member.Rules) { r.GrowthPerUnit = -1 },
		"earn.categories invalid_category":          func(r *member.Rules) { r.Earn.Categories = map[string]int64{"cake": -1} },
		"tiers[0].growth first_tier_not_zero":       func(r *member.Rules) { r.Tiers[0].Growth = 1 },
		"tiers[2].growth tiers_not_ascending":       func(r *member.Rules) { r.Tiers[2].Growth = r.Tiers[1].Growth },
		"tiers[1] tier_not_unique":                  func(r *member.Rules) { r.Tiers[1].Name = "v1" },
		"tiers[1].id invalid_id":                    func(r *member.Rules) { r.Tiers[1].ID = "a b" },
		"tiers[1].name invalid_name":                func(r *member.Rules) { r.Tiers[1].Name = "a\n" },
		"earn earns_too_much":                       func(r *member.Rules) { r.Earn.PointsPerUnit = 1_000_000 },
		"tiers[2].earn_multiplier_bps out_of_range": func(r *member.Rules) { r.Tiers[2].MultiplierBps = -1 },
	} {
		r := rules()
		change(&r)
		_, err := f.PutProgram(t.Context(), "aurora", "store", r, 0)
		var refused *fault.Error
		if !errors.As(err, &refused) || refused.Kind != fault.Invalid || refused.Field+" "+refused.Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
	bare := rules()
	bare.Tiers = nil
	v, err := f.PutProgram(t.Context(), "aurora", "store", bare, 0)
	if err != nil || len(v.Tiers) != 1 {
		t.Error("a program without tiers gets one", v, err)
	}
	if _, err := f.PutProgram(t.Context(), "nobody", "store", rules(), 0); fault.CodeOf(err) != "unknown_brand" {
		t.Error(err)
	}
}
