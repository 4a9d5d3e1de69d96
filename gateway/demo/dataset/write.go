package dataset

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Write puts the set into dir in the files' formats and says where they are. The formats have no orders, phone numbers or
// originals: it leaves orders out, and Load finds the originals by customer and SKU.
func (s *Set) Write(dir string) (Files, error) {
	files := Files{
		Stores: filepath.Join(dir, "stores.csv"), CRMOnline: filepath.Join(dir, "crm-online.csv"),
		CRMStore: filepath.Join(dir, "crm-store.csv"), Receipts: filepath.Join(dir, "receipts.csv.gz"),
	}
	var receipts bytes.Buffer
	zip := gzip.NewWriter(&receipts)
	if _, err := zip.Write(s.receiptsCSV()); err != nil {
		return files, fmt.Errorf("dataset: %w", err)
	}
	if err := zip.Close(); err != nil {
		return files, fmt.Errorf("dataset: %w", err)
	}
	for path, data := range map[string][]byte{
		files.Stores: s.StoresCSV, files.CRMOnline: s.Online.CSV, files.CRMStore: s.InStore.CSV, files.Receipts: receipts.Bytes(),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return files, fmt.Errorf("dataset: %w", err)
		}
	}
	return files, nil
}

func (s *Set) receiptsCSV() []byte {
	rows := [][]string{{"receipt", "type", "time", "store", "line", "sku", "category", "brand", "qty", "unit_price", "customer"}}
	for _, r := range s.Receipts {
		if r.Channel != "" {
			continue
		}
		kind := "sale"
		if r.Return {
			kind = "return"
		}
		for _, l := range r.Lines {
			rows = append(rows, []string{
				r.Number, kind, r.Time.Format(time.RFC3339), r.Store, strconv.Itoa(l.Line), l.SKU, l.Category, l.Brand,
				strconv.FormatInt(l.Qty, 10), strconv.FormatInt(l.UnitPrice, 10), r.Customer,
			})
		}
	}
	return toCSV(rows)
}
