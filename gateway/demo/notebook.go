package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"scrm/gateway/demo/dataset"
)

// notebook is what a demo keeps beside the server's data, so that a second run on it plays the same and not another week.
type notebook struct {
	Recipe *dataset.Recipe `json:"recipe,omitempty"` // of generated data
	Files  string          `json:"files,omitempty"`  // SHA-256 of the files
}

const notebookFile = "demo.json"

// prepare reads the files or generates the set, and notes in dir which data it is. It refuses a dir that holds another demo.
func prepare(o Options) (*dataset.Set, error) {
	noted, err := readNotebook(o.Dir)
	if err != nil {
		return nil, err
	}
	if o.Files != (dataset.Files{}) {
		set, err := dataset.Load(o.Files)
		if err != nil {
			return nil, err
		}
		return set, note(o.Dir, noted, notebook{Files: fingerprint(set)})
	}
	recipe := o.Recipe
	if recipe.LastDay == "" {
		recipe.LastDay = time.Now().In(dataset.Zone).AddDate(0, 0, -1).Format(time.DateOnly)
		if noted != nil && noted.Recipe != nil {
			recipe.LastDay = noted.Recipe.LastDay
		}
	}
	if err := note(o.Dir, noted, notebook{Recipe: &recipe}); err != nil {
		return nil, err
	}
	return dataset.Generate(recipe)
}

// fingerprint tells sets apart that were read from files.
func fingerprint(set *dataset.Set) string {
	h := sha256.New()
	for _, part := range [][]byte{set.StoresCSV, set.Online.CSV, set.InStore.CSV} {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	for _, r := range set.Receipts {
		fmt.Fprintf(h, "%s %t %s %s %s %d\n", r.Number, r.Return, r.Time, r.Store, r.Customer, len(r.Lines))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func readNotebook(dir string) (*notebook, error) {
	data, err := os.ReadFile(filepath.Join(dir, notebookFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}
	n := &notebook{}
	if err := json.Unmarshal(data, n); err != nil {
		return nil, fmt.Errorf("demo: %s: %w", notebookFile, err)
	}
	return n, nil
}

func note(dir string, noted *notebook, now notebook) error {
	if noted != nil {
		if !reflect.DeepEqual(*noted, now) {
			return fmt.Errorf("demo: %s holds the demo of other data; take another data directory for this one", dir)
		}
		return nil
	}
	data, err := json.Marshal(now)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	// Written aside and renamed, so that a kill leaves a whole note or none.
	path := filepath.Join(dir, notebookFile)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return nil
}
