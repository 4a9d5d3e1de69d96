package dataset

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Files name the demo's input. Each may be compressed with gzip.
type Files struct {
	Stores    string // id,name,address,city,region,ownership,brands,lat,lng
	CRMOnline string // external_id,phone,name,level,points,joined,store,brand
	CRMStore  string // the same columns
	Receipts  string // receipt,type,time,store,line,sku,category,brand,qty,unit_price,customer
}

// Load reads the files and finds the sales that returns take back.
func Load(files Files) (*Set, error) {
	set := &Set{}
	read := func(path string, parse func(data []byte) error) error {
		data, err := readFile(path)
		if err == nil {
			err = parse(data)
		}
		if err != nil {
			return fmt.Errorf("dataset: %s: %w", path, err)
		}
		return nil
	}
	err := errors.Join(
		read(files.Stores, func(data []byte) (err error) {
			set.StoresCSV = data
			set.Stores, err = parseStores(data)
			return err
		}),
		read(files.CRMOnline, func(data []byte) (err error) { set.Online, err = parseExport(data); return err }),
		read(files.CRMStore, func(data []byte) (err error) { set.InStore, err = parseExport(data); return err }),
		read(files.Receipts, func(data []byte) (err error) {
			set.Receipts, err = parseReceipts(bytes.NewReader(data))
			return err
		}),
	)
	if err != nil {
		return nil, err
	}
	set.finish()
	matchReturns(set.Receipts)
	return set, nil
}

// finish puts the receipts in order and counts their lines.
func (s *Set) finish() {
	slices.SortStableFunc(s.Receipts, func(a, b *Receipt) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Number, b.Number), cmp.Compare(a.Refund, b.Refund))
	})
	for _, r := range s.Receipts {
		s.Lines += len(r.Lines)
	}
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	buffered := bufio.NewReader(file)
	if magic, err := buffered.Peek(2); err != nil || !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return io.ReadAll(buffered)
	}
	unzipped, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(unzipped)
	return content, errors.Join(err, unzipped.Close())
}

// table reads a CSV file whose columns are found by their names in the first row.
type table struct {
	rows   *csv.Reader
	column map[string]int
	row    []string
}

func openTable(r io.Reader, columns ...string) (*table, error) {
	t := &table{rows: csv.NewReader(r), column: map[string]int{}}
	t.rows.FieldsPerRecord = -1
	t.rows.ReuseRecord = true
	header, err := t.rows.Read()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", err)
	}
	for i, name := range header {
		t.column[strings.TrimPrefix(strings.TrimSpace(name), "\uFEFF")] = i
	}
	for _, name := range columns {
		if _, ok := t.column[name]; !ok {
			return nil, fmt.Errorf("no column %q", name)
		}
	}
	return t, nil
}

// next goes to the next row; false at the end.
func (t *table) next() (bool, error) {
	row, err := t.rows.Read()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	t.row = row
	return err == nil, err
}

// get is a column of this row, empty if there is none or the row is too short.
func (t *table) get(column string) string {
	if i, ok := t.column[column]; ok && i < len(t.row) {
		return t.row[i]
	}
	return ""
}

func (t *table) line() int {
	line, _ := t.rows.FieldPos(0)
	return line
}

func parseStores(data []byte) ([]Store, error) {
	t, err := openTable(bytes.NewReader(data), "id", "region", "brands")
	if err != nil {
		return nil, err
	}
	var stores []Store
	for {
		more, err := t.next()
		if err != nil || !more {
			return stores, err
		}
		if brands := t.get("brands"); t.get("id") != "" && brands != "" {
			stores = append(stores, Store{ID: t.get("id"), Region: t.get("region"), Dealer: t.get("dealer"), Brands: strings.Split(brands, "|")})
		}
	}
}

func parseExport(data []byte) (Export, error) {
	export := Export{CSV: data}
	t, err := openTable(bytes.NewReader(data), "external_id", "joined")
	if err != nil {
		return export, err
	}
	for {
		more, err := t.next()
		if err != nil || !more {
			return export, err
		}
		export.ExternalIDs = append(export.ExternalIDs, strings.Clone(t.get("external_id")))
		if joined := t.get("joined"); export.Since == "" || joined < export.Since {
			if _, err := time.Parse(time.DateOnly, joined); err == nil {
				export.Since = strings.Clone(joined)
			}
		}
	}
}

// parseReceipts reads one row per line. Unlike the exports' rows, those of receipts are the demo's own input and have to be right.
func parseReceipts(r io.Reader) ([]*Receipt, error) {
	t, err := openTable(r, "receipt", "type", "time", "store", "line", "sku", "category", "brand", "qty", "unit_price", "customer")
	if err != nil {
		return nil, err
	}
	var receipts []*Receipt
	byNumber := map[string]*Receipt{}
	for {
		more, err := t.next()
		if err != nil || !more {
			return receipts, err
		}
		head, line, err := parseReceiptLine(t)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", t.line(), err)
		}
		receipt, known := byNumber[head.Number]
		if !known {
			receipt = head
			byNumber[head.Number] = receipt
			receipts = append(receipts, receipt)
		}
		if receipt.Return != head.Return || !receipt.Time.Equal(head.Time) || receipt.Store != head.Store || receipt.Customer != head.Customer {
			return nil, fmt.Errorf("line %d: differs from the receipt's first line in type, time, store or customer", t.line())
		}
		receipt.Lines = append(receipt.Lines, line)
	}
}

func parseReceiptLine(t *table) (*Receipt, Line, error) {
	kind := t.get("type")
	if kind != "sale" && kind != "return" {
		return nil, Line{}, errors.New("a type is sale or return")
	}
	at, errTime := time.Parse(time.RFC3339, t.get("time"))
	number, errLine := strconv.Atoi(t.get("line"))
	qty, errQty := strconv.ParseInt(t.get("qty"), 10, 64)
	price, errPrice := strconv.ParseInt(t.get("unit_price"), 10, 64)
	if err := errors.Join(errTime, errLine, errQty, errPrice); err != nil {
		return nil, Line{}, err
	}
	// The reader's row shares one string for all its columns: clone, so as not to keep it for the sake of one.
	receipt := &Receipt{
		Number: strings.Clone(t.get("receipt")), Return: kind == "return", Time: at,
		Store: strings.Clone(t.get("store")), Customer: strings.Clone(t.get("customer")),
	}
	return receipt, Line{
		Line: number, SKU: strings.Clone(t.get("sku")), Category: strings.Clone(t.get("category")), Brand: strings.Clone(t.get("brand")),
		Qty: qty, UnitPrice: price, Paid: qty * price,
	}, nil
}
