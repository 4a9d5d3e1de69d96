package guideevent

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"scrm/gateway/kit/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden pins the payloads: what others read must not change under them.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]any{
		"bound.json": Bound{Assignment{
			Member: "01939e2c-8f5e-7000-8000-000000000001", Brand: "aurora", Store: "s-1", Guide: "g-17", DistanceM: 840, Reason: "nearest_store",
			From: 1795572000000, Recruiting: "g-9",
			Candidates: []Candidate{
				{Store: "s-1", DistanceM: 840, Guide: "g-16", Load: 300, Capacity: 300, Note: "no_room"},
				{Store: "s-1", DistanceM: 840, Guide: "g-17", Load: 12, Capacity: 300},
			},
		}},
		"bound_none.json": Bound{Assignment{Member: "m", Brand: "aurora", DistanceM: -1, Reason: "none", From: 1795572000000, Candidates: []Candidate{}}},
	} {
		got, err := json.MarshalIndent(event, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, got, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the payload has changed:\n%s\nwant\n%s", name, got, want)
		}
		var back Bound
		if data, err := wire.Marshal(event); err != nil || wire.Unmarshal(data, &back) != nil || !reflect.DeepEqual(back, event) {
			t.Errorf("%s: %+v does not come back from the wire: %v", name, back, err)
		}
	}
}
