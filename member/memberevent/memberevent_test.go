package memberevent

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"scrm/gateway/kit/wire"
)

var update = flag.Bool("update", false, "write the golden files anew")

func joined() Joined {
	lat, lng := 31.24, 121.49
	return Joined{Member: "0199e3a4-3c1e-7d5b-8a55-0c6e3f2b1a90", Brand: "aurora", At: 1795141865000, Backdated: true, Program: "store", Channel: "store",
		Store: "s-1", RecruitingGuide: "g-17", Lat: &lat, Lng: &lng}
}

// TestGolden pins the payloads, as JSON for people and as they go over the wire. Where it fails the change breaks what is stored and
// under way: it has to be a new version.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, payload := range map[string]any{
		"joined":       joined(),
		"card_opened":  CardOpened{Member: joined().Member, Brand: "aurora", Program: "online", At: 1795141865000, Dual: true},
		"tier_changed": TierChanged{Member: joined().Member, Brand: "aurora", Program: "store", From: "v1", To: "v2", Date: "2026-11-21"},
	} {
		asJSON, err := json.MarshalIndent(payload, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		asWire, err := wire.Marshal(payload)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", append(asJSON, '\n'))
		golden(t, name+".wire.hex", append([]byte(hex.EncodeToString(asWire)), '\n'))
		back := reflect.New(reflect.TypeOf(payload))
		if err := wire.Unmarshal(asWire, back.Interface()); err != nil || !reflect.DeepEqual(back.Elem().Interface(), payload) {
			t.Errorf("%s: read back as %+v, %v", name, back.Elem().Interface(), err)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from what it was:\n%s\nnot\n%s", name, got, want)
	}
}
