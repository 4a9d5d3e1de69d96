package member_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"scrm/member"
)

// TestImportOfTheExports imports both systems' exports in either order and once more, and compares what came of them with a few
// lines of independent code. The files are those in SCRM_TEST_DATA; without it, made-up ones of the same format.
func TestImportOfTheExports(t *testing.T) {
	t.Parallel()
	online, inStore := exports(t)
	people, dual, refused := count(t, online, inStore)
	if len(people) < 100 || dual < 50 || refused["phone_malformed"] == 0 || refused["phone_not_mobile"] == 0 || refused["phone_missing"] == 0 {
		t.Fatalf("the files show too little: %d people, %d with two cards, refused %v", len(people), dual, refused)
	}
	for name, order := range map[string][]string{"online first": {"online", "store", "online"}, "store first": {"store", "online", "store"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, "2026-11-22T12:00:00")
			levels := [][]string{{"V1", "V2", "V3", "V4"}, {"普通", "银卡", "金卡", "钻石"}}
			for i, program := range []string{"online", "store"} {
				r := rules()
				r.Tiers = nil
				for n, level := range levels[i] {
					r.Tiers = append(r.Tiers, member.Tier{ID: fmt.Sprintf("t%d", n), Name: level, Growth: int64(n) * 1_000, MultiplierBps: 10_000})
				}
				for _, brand := range []string{"aurora", "breeze", "cedar"} {
					f.program(t, brand, program, r, "2010-01-01T00:00:00")
				}
			}
			made, second := 0, 0
			codes := map[string]int{}
			for i, program := range order {
				report, err := f.Import(t.Context(), member.Import{Program: program, Rows: bytes.NewReader(map[string][]byte{"online": online, "store": inStore}[program])})
				if err != nil {
					t.Fatal(err)
				}
				made += report.Created
				second += report.Unified
				if i == 2 {
					if report.Created+report.Unified+report.Updated != 0 {
						t.Errorf("again: %+v", report)
					}
					continue
				}
				for _, r := range report.Rejected {
					codes[r.Code]++
				}
			}
			if made != len(people) || second != dual || !maps.Equal(codes, refused) {
				t.Errorf("%d members, %d with two cards, refused %v; want %d, %d, %v", made, second, codes, len(people), dual, refused)
			}
			if figures := f.sound(t)["E8"].Figures; figures["members"] != int64(len(people)) {
				t.Error(figures)
			}
		})
	}
}

func exports(t *testing.T) (online, inStore []byte) {
	t.Helper()
	dir := os.Getenv("SCRM_TEST_DATA")
	if dir == "" {
		return madeUp("O", "V"), madeUp("S", "金")
	}
	for name, into := range map[string]*[]byte{"crm-online.csv": &online, "crm-store.csv": &inStore} {
		var err error
		if *into, err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return online, inStore
}

// madeUp is an export with the mess that exports have.
func madeUp(prefix, level string) []byte {
	random := rand.New(rand.NewPCG(7, uint64(prefix[0])))
	var b strings.Builder
	b.WriteString("external_id,phone,name,level,points,joined,store,brand\n")
	for i := range 400 {
		who := random.IntN(300)
		n := fmt.Sprintf("138%08d", who*7919)
		phone := []string{n, " " + n + " ", "+86" + n, "0086" + n, "86-" + n, n[:3] + "-" + n[3:7] + "-" + n[7:], "+86 " + n[:3] + " " + n[3:7] + " " + n[7:],
			strings.Map(func(r rune) rune { return r - '0' + '０' }, n), n[:9], "", "021-" + n[3:]}[random.IntN(11)]
		fmt.Fprintf(&b, "%s%d,%s,,%s,%d,2010-12-%02d,,%s\n", prefix, i, phone, map[string]string{"V": "V2", "金": "金卡"}[level], random.IntN(9_999), 1+random.IntN(28),
			[]string{"aurora", "breeze", "cedar"}[who%3])
	}
	return []byte(b.String())
}

var notDigit = regexp.MustCompile(`\D`)

// count is what must come of the files.
func count(t *testing.T, files ...[]byte) (people map[string]bool, dual int, refused map[string]int) {
	t.Helper()
	people, refused = map[string]bool{}, map[string]int{}
	cards := map[string]int{}
	for system, file := range files {
		rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			digits := notDigit.ReplaceAllString(strings.Map(func(r rune) rune {
				if r >= '０' && r <= '９' {
					return r - '０' + '0'
				}
				return r
			}, row[1]), "")
			if strings.HasPrefix(digits, "0086") {
				digits = digits[4:]
			} else if strings.HasPrefix(digits, "86") {
				digits = digits[2:]
			}
			switch {
			case digits == "":
				refused["phone_missing"]++
			case digits[0] == '0':
				refused["phone_not_mobile"]++
			case len(digits) != 11:
				refused["phone_malformed"]++
			default:
				people[digits] = true
				cards[digits+row[7]] |= 1 << system
			}
		}
	}
	for _, c := range cards {
		if c == 3 {
			dual++
		}
	}
	return people, dual, refused
}
