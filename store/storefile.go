package store

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

// importBatch is how many rows of a file share a transaction.
const importBatch = 500

// ImportReport is what became of a file's rows. Updated counts the rows whose store existed, whether they changed it or not.
type ImportReport struct {
	Created  int
	Updated  int
	Rejected []RejectedRow
}

// RejectedRow is a row that was refused; row 1 is the first after the header.
type RejectedRow struct {
	Row    int
	Code   string
	Detail string
}

// ImportStores makes or changes stores from a CSV file with the columns id, name, address, city, region, ownership, brands (| between
// them), lat and lng, and optionally dealer and datum, in any order. Regions that it names are made under each brand. A bad row is
// refused and the others are kept; rows take effect in batches, in order, so a file that breaks off has been imported
// up to there. allowed says whether the importer may set up a brand.
//
// fault.Invalid with code "not_csv" or "missing_column" where the header is not one of such a file; nothing is imported then.
func (s *Service) ImportStores(ctx context.Context, file io.Reader, allowed func(brand string) bool) (ImportReport, error) {
	report := ImportReport{Rejected: []RejectedRow{}}
	rows, err := openStoreFile(file)
	if err != nil {
		return report, err
	}
	var batch []storeRow
	for {
		row, err := rows.next()
		if errors.Is(err, io.EOF) {
			return report, s.importRows(ctx, batch, allowed, &report)
		}
		if err != nil {
			return report, err
		}
		if batch = append(batch, row); len(batch) == importBatch {
			if err := s.importRows(ctx, batch, allowed, &report); err != nil {
				return report, err
			}
			batch = batch[:0]
		}
	}
}

// storeRow is a row of the file; where err is set it cannot be read.
type storeRow struct {
	number int
	store  NewStore
	dealer bool // the file says whose store it is
	err    error
}

// maxRow bounds a row in bytes, roughly: a quotation mark that is never closed would make all the rest one row.
const maxRow = 1 << 20

// rowLimit counts what is read of a file for one row.
type rowLimit struct {
	from io.Reader
	left int
}

func (r *rowLimit) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fault.New(fault.TooLarge, "row_too_large", "a row has at most %d bytes", maxRow)
	}
	n, err := r.from.Read(p)
	r.left -= n
	return n, err
}

// storeFile reads the rows of a file one by one.
type storeFile struct {
	limit   *rowLimit
	csv     *csv.Reader
	columns map[string]int
	width   int
	row     int
}

func openStoreFile(file io.Reader) (*storeFile, error) {
	limit := &rowLimit{from: file, left: maxRow}
	buffered := bufio.NewReader(limit)
	if bom, err := buffered.Peek(3); err == nil && string(bom) == "\ufeff" {
		_, _ = buffered.Discard(len(bom)) // was peeked
	}
	f := &storeFile{limit: limit, csv: csv.NewReader(buffered), columns: map[string]int{}}
	f.csv.FieldsPerRecord = -1
	f.csv.ReuseRecord = true
	header, err := f.csv.Read()
	var syntax *csv.ParseError
	switch {
	case errors.Is(err, io.EOF), errors.As(err, &syntax):
		return nil, errNotCSV
	case err != nil:
		return nil, err
	}
	f.width = len(header)
	for i, name := range header {
		if !utf8.ValidString(name) {
			return nil, errNotCSV
		}
		f.columns[strings.ToLower(strings.TrimSpace(name))] = i
	}
	for _, name := range []string{"id", "name", "address", "city", "region", "ownership", "brands", "lat", "lng"} {
		if _, ok := f.columns[name]; !ok {
			if len(header) == 1 {
				return nil, errNotCSV
			}
			return nil, fault.New(fault.Invalid, "missing_column", "the file has no column %s", name)
		}
	}
	return f, nil
}

var errNotCSV = fault.New(fault.Invalid, "not_csv", "the file is not CSV with a header row")

// next reads a row. Its error is the file's end or a failure to read on; what is wrong with the row itself stands in it.
func (f *storeFile) next() (storeRow, error) {
	f.limit.left = maxRow
	fields, err := f.csv.Read()
	f.row++
	row := storeRow{number: f.row}
	var syntax *csv.ParseError
	switch {
	case errors.As(err, &syntax):
		row.err = fault.New(fault.Invalid, "malformed_row", "the row is not CSV (a quotation mark in the wrong place)")
		return row, nil
	case err != nil:
		return row, err
	case len(fields) != f.width:
		row.err = fault.New(fault.Invalid, "missing_column", "the row has %d fields, the header %d", len(fields), f.width)
		return row, nil
	}
	row.store, row.err = f.parse(fields)
	_, row.dealer = f.columns["dealer"]
	return row, nil
}

// readable drops what other systems' encodings leave in texts: an export with a stray control character still names a store.
func readable(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

func (f *storeFile) parse(fields []string) (NewStore, error) {
	for _, field := range fields {
		if !utf8.ValidString(field) {
			return NewStore{}, fault.New(fault.Invalid, "invalid_utf8", "the row is not UTF-8")
		}
	}
	field := func(name string) string {
		if i, ok := f.columns[name]; ok {
			return strings.TrimSpace(strings.Map(readable, fields[i]))
		}
		return ""
	}
	in := NewStore{
		ID: field("id"), Name: field("name"), Address: field("address"), City: field("city"), Ownership: field("ownership"),
		Dealer: field("dealer"), Open: true, Location: Location{Datum: field("datum")},
	}
	if err := ident.Check("id", in.ID); err != nil {
		return in, err
	}
	region := field("region")
	if region != "" {
		if err := ident.Check("region", region); err != nil {
			return in, err
		}
	}
	for b := range strings.SplitSeq(field("brands"), "|") {
		if b = strings.TrimSpace(b); b != "" {
			in.Brands = append(in.Brands, CarriedBrand{b, region})
		}
	}
	var err error
	if in.Location.Lat, err = strconv.ParseFloat(field("lat"), 64); err == nil {
		in.Location.Lng, err = strconv.ParseFloat(field("lng"), 64)
	}
	if err != nil {
		return in, fault.New(fault.Invalid, "invalid_coordinates", "lat and lng are decimal degrees")
	}
	return in, nil
}

// importRows takes a batch of rows over in one transaction.
func (s *Service) importRows(ctx context.Context, rows []storeRow, allowed func(string) bool, report *ImportReport) error {
	var batch ImportReport
	err := s.change(ctx, func(ctx context.Context, tx docdb.Session) (storeevent.Changed, error) {
		batch = ImportReport{}
		d, err := s.loadImport(ctx, tx, rows)
		if err != nil {
			return storeevent.Changed{}, err
		}
		now := s.clock.Now()
		for _, row := range rows {
			created, err := d.take(row, allowed, now)
			switch {
			case err != nil:
				batch.Rejected = append(batch.Rejected, RejectedRow{row.number, fault.CodeOf(err), detailOf(err)})
			case created:
				batch.Created++
			default:
				batch.Updated++
			}
		}
		if err := s.regions.SaveMany(ctx, tx, d.newRegions); err != nil {
			return storeevent.Changed{}, err
		}
		return s.saveStores(ctx, tx, d.setUp, d.changed()...)
	})
	if err != nil {
		return err
	}
	report.Created += batch.Created
	report.Updated += batch.Updated
	report.Rejected = append(report.Rejected, batch.Rejected...)
	return nil
}

// importing is the state that a batch of rows changes.
type importing struct {
	*setUp
	stores     map[string]*storeDoc
	touched    map[string]bool
	newRegions []*regionDoc
}

// loadImport reads what a batch of rows is about.
func (s *Service) loadImport(ctx context.Context, tx docdb.Session, rows []storeRow) (*importing, error) {
	var carried []CarriedBrand
	var ids, dealers []string
	for _, row := range rows {
		if row.err == nil {
			ids, carried, dealers = append(ids, row.store.ID), append(carried, row.store.Brands...), append(dealers, row.store.Dealer)
		}
	}
	d := &importing{touched: map[string]bool{}}
	var err error
	if d.stores, err = s.stores.GetMany(ctx, tx, distinct(ids)...); err != nil {
		return nil, err
	}
	for _, doc := range d.stores {
		carried, dealers = append(carried, doc.Regions...), append(dealers, doc.now().Dealer)
	}
	d.setUp, err = s.loadSetUp(ctx, tx, carried, dealers...)
	return d, err
}

// take makes or changes a row's store, and says whether it is new.
func (d *importing) take(row storeRow, allowed func(string) bool, now when.Instant) (created bool, err error) {
	if row.err != nil {
		return false, row.err
	}
	in := row.store
	old := d.stores[in.ID]
	brands := in.Brands
	if old != nil {
		brands = append(slices.Clone(brands), old.Regions...)
	}
	for _, c := range brands {
		if d.brands[c.Brand] == nil {
			return false, errBrand.At("brands")
		}
		if !allowed(c.Brand) {
			return false, fault.New(fault.Forbidden, "forbidden", "you may not set up every brand of this store").At("brands")
		}
	}
	known := len(d.newRegions)
	d.addRegions(in.Brands)
	doc, err := in.over(old, row.dealer, d.setUp, now)
	if err != nil { // a refused row makes no regions either
		for _, r := range d.newRegions[known:] {
			delete(d.regions, r.ID)
		}
		d.newRegions = d.newRegions[:known]
		return false, err
	}
	if old == nil || !doc.equal(old) {
		d.stores[in.ID], d.touched[in.ID] = doc, true
	}
	return old == nil, nil
}

// over is the store that a row makes, or makes of an old one: what the file has no column for stays.
func (in NewStore) over(old *storeDoc, dealer bool, u *setUp, now when.Instant) (*storeDoc, error) {
	if old == nil {
		return makeStore(in, u)
	}
	change := StoreChange{
		Name: &in.Name, Address: &in.Address, City: &in.City, Ownership: &in.Ownership, Brands: &in.Brands, Location: &in.Location,
	}
	if dealer {
		change.Dealer = &in.Dealer
	}
	next := *old
	return &next, next.change(change, u, now)
}

// addRegions makes the regions that a row names and that its brands lack.
func (d *importing) addRegions(carried []CarriedBrand) {
	for _, c := range carried {
		id := regionID(c.Brand, c.Region)
		if c.Region == "" || d.regions[id] != nil {
			continue
		}
		d.regions[id] = &regionDoc{Doc: docdb.Doc{ID: id}, Brand: c.Brand, Region: c.Region, Name: c.Region}
		d.newRegions = append(d.newRegions, d.regions[id])
	}
}

// changed are the stores to be saved, by id.
func (d *importing) changed() []*storeDoc {
	var out []*storeDoc
	for _, id := range docdb.IDs(d.touched) {
		out = append(out, d.stores[id])
	}
	return out
}

// detailOf is the sentence for people in an error, without anything of the input.
func detailOf(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Detail
	}
	return "the row cannot be taken"
}
