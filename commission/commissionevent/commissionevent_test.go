package commissionevent

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden pins the payloads: what others read must not change under them.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, event := range map[string]any{
		"day_closed.json": DayClosed{
			Brand: "aurora", Since: "2026-11-20", Date: "2026-11-20", Statements: 3, Settled: 500, Carried: -70, At: 1795572000000,
		},
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
	}
}
