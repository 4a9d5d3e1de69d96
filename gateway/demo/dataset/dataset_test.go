package dataset

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func small(seed uint64, online int) Recipe {
	return Recipe{Seed: seed, Stores: 60, Members: 800, Transactions: 3000, OnlinePercent: online, Days: 5, LastDay: "2026-03-15"}
}

func generated(t *testing.T, recipe Recipe) *Set {
	t.Helper()
	set, err := Generate(recipe)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestGenerateIsDeterministic(t *testing.T) {
	t.Parallel()
	a, b, other := generated(t, small(1, 10)), generated(t, small(1, 10)), generated(t, small(2, 10))
	if !reflect.DeepEqual(a, b) {
		t.Fatal("the same recipe made two different sets")
	}
	if bytes.Equal(a.StoresCSV, other.StoresCSV) || bytes.Equal(a.Online.CSV, other.Online.CSV) {
		t.Fatal("another seed made the same set")
	}
}

func TestGenerateIsABusiness(t *testing.T) {
	t.Parallel()
	set := generated(t, small(3, 10))
	carries := map[string][]string{}
	for _, s := range set.Stores {
		carries[s.ID] = s.Brands
	}
	var orders, anonymous, returns, elsewhere int
	numbers := map[string]bool{}
	left := map[Original]int64{}
	for _, r := range set.Receipts {
		if id := r.Number + r.Refund; numbers[id] {
			t.Fatalf("%s is given twice", id)
		} else {
			numbers[id] = true
		}
		if day := r.Date(); day < "2026-03-11" || day > "2026-03-15" {
			t.Fatalf("%s is on %s", r.Number, day)
		}
		if r.Channel != "" {
			orders++
		}
		if r.Customer == "" {
			anonymous++
		}
		if r.Return {
			returns++
		}
		for i, l := range r.Lines {
			if l.Line != i+1 || l.Paid <= 0 || !slices.Contains(carries[r.Store], l.Brand) || r.Brand != "" && r.Brand != l.Brand {
				t.Fatalf("%s line %d does not add up", r.Number, l.Line)
			}
			if !r.Return {
				left[Original{r, l.Line}] = l.Paid
			} else if l.Original != nil {
				if left[*l.Original] -= l.Paid; left[*l.Original] < 0 {
					t.Fatalf("%s takes back more than was sold, or before it", r.Number)
				}
				if l.Original.Sale.Store != r.Store {
					elsewhere++
				}
			}
		}
	}
	if len(set.Receipts) != 3000 || orders < 200 || orders > 400 || anonymous < 600 || returns < 150 || elsewhere == 0 {
		t.Fatalf("%d receipts, %d orders, %d anonymous, %d returns, %d of them elsewhere", len(set.Receipts), orders, anonymous, returns, elsewhere)
	}
	if n := len(set.Online.ExternalIDs) + len(set.InStore.ExternalIDs); n < 880 || n > 1100 {
		t.Fatalf("%d rows of members", n)
	}
}

// TestFilesHoldWhatTheyCan: what Write wrote, Load reads, but for what the formats do not have.
func TestFilesHoldWhatTheyCan(t *testing.T) {
	t.Parallel()
	set := generated(t, small(4, 0))
	files, err := set.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(files)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(loaded.Online.CSV, set.Online.CSV) || !reflect.DeepEqual(loaded.Stores, set.Stores) || loaded.Lines != set.Lines {
		t.Fatal("the files lost something")
	}
	for i, r := range loaded.Receipts {
		want := set.Receipts[i]
		if r.Number != want.Number || r.Return != want.Return || !r.Time.Equal(want.Time) || r.Store != want.Store || r.Customer != want.Customer || len(r.Lines) != len(want.Lines) {
			t.Fatalf("receipt %d differs: %+v, %+v", i, r, want)
		}
	}
	if matched, _ := loaded.ReturnLines(); matched == 0 {
		t.Fatal("no return found its sale")
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const header = "receipt,type,time,store,line,sku,category,brand,qty,unit_price,customer\n"
	for name, c := range map[string]struct{ receipts, want string }{
		"no column":        {"receipt,type\n", "no column"},
		"no header":        {"", "no header"},
		"a type":           {header + "1,swap,2011-01-01T10:00:00+08:00,s,1,x,c,b,1,1,\n", "line 2: a type is sale or return"},
		"a time":           {header + "1,sale,yesterday,s,1,x,c,b,1,1,\n", "line 2"},
		"a quantity":       {header + "1,sale,2011-01-01T10:00:00+08:00,s,1,x,c,b,one,1,\n", "line 2"},
		"a receipt in two": {header + "1,sale,2011-01-01T10:00:00+08:00,s,1,x,c,b,1,1,\n1,sale,2011-01-01T10:00:00+08:00,z,2,x,c,b,1,1,\n", "line 3: differs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			files, err := generated(t, small(5, 0)).Write(dir)
			if err != nil {
				t.Fatal(err)
			}
			files.Receipts = filepath.Join(dir, "receipts.csv")
			if err := os.WriteFile(files.Receipts, []byte(c.receipts), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(files); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}
