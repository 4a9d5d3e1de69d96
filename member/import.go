package member

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/phone"
	"scrm/gateway/kit/when"
)

// Import is an export of a customer system to be read in.
type Import struct {
	Program  string
	Brand    string         // only rows of this brand are taken; empty: every brand's
	Channel  string         // noted on the memberships; empty: none
	Rows     io.Reader      // CSV with a header: external_id, phone, name, level, points, joined, store, brand in any order
	Progress func(rows int) // called after each chunk with the rows so far; may be nil
}

// Report says what an import did. Every row is counted in exactly one of the five.
type Report struct {
	Created    int       `json:"created"`    // made a member
	Updated    int       `json:"updated"`    // a member's first card of this brand
	Unified    int       `json:"unified"`    // a second card of a member who already had the other
	Duplicates int       `json:"duplicates"` // the number had this card already
	Rejected   []Refused `json:"rejected"`
}

// Refused is a row that was not taken. Row 1 is the first after the header.
type Refused struct {
	Row    int    `json:"row"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// importChunk is how many rows go into one transaction.
const importChunk = 500

// The columns of an export. The first five must be there; a row whose later ones are missing is refused all the same.
var columns = [...]string{"phone", "brand", "external_id", "level", "points", "name", "joined", "store"}

const (
	colPhone = iota
	colBrand
	colExternal
	colLevel
	colPoints
	colName
	colJoined
	colStore
)

// The refusals of a row, or of the file.
var (
	errNotCSV        = fault.New(fault.Invalid, "not_csv", "this is not a CSV file").At("body")
	errHeader        = fault.New(fault.Invalid, "missing_header", "the header must name the columns %s", strings.Join(columns[:], ", ")).At("body")
	errMissingColumn = fault.New(fault.Invalid, "missing_column", "the row has fewer fields than the header")
	errExtraColumn   = fault.New(fault.Invalid, "extra_column", "the row has more fields than the header")
	errMalformedRow  = fault.New(fault.Invalid, "malformed_row", "the row's quotes do not match")
	errInvalidText   = fault.New(fault.Invalid, "invalid_utf8", "the row is not UTF-8")
	errOtherBrand    = fault.New(fault.Forbidden, "other_brand", "the row is of a brand that this import may not change")
	errInvalidPoints = fault.New(fault.Invalid, "invalid_points", "points are a whole number, not negative")
	errInvalidDate   = fault.New(fault.Invalid, "invalid_date", "a date has the form 2006-01-02")
)

// Import reads an export row by row and enrols each, in order, in chunks of one transaction each; it holds no more than a chunk in
// memory besides the refusals. A row that cannot be taken is refused and the others are kept. Importing the same file again changes
// nothing, so an import that broke off is finished by repeating it. The error is fault.Invalid for what is no such file, else what
// broke it off.
func (s *Service) Import(ctx context.Context, in Import) (Report, error) {
	report := Report{Rejected: []Refused{}}
	if err := ident.Check("program", in.Program); err != nil {
		return report, err
	}
	rows, err := newRowReader(in.Rows)
	if err != nil {
		return report, err
	}
	batch, numbers := make([]Enrolment, 0, importChunk), make([]int, 0, importChunk)
	flush := func() error {
		results, err := s.Enrol(ctx, batch)
		if err != nil {
			return err
		}
		for i := range results {
			report.count(numbers[i], &results[i])
		}
		batch, numbers = batch[:0], numbers[:0]
		return nil
	}
	for {
		fields, err := rows.next()
		if errors.Is(err, io.EOF) {
			break
		}
		var e Enrolment
		if err == nil {
			e, err = s.enrolmentOf(ctx, in, fields)
		}
		switch why := refusal(err); {
		case err == nil:
			batch, numbers = append(batch, e), append(numbers, rows.row)
		case why != nil:
			report.refuse(rows.row, why)
		default:
			return report, fmt.Errorf("member: import, row %d: %w", rows.row, err)
		}
		if len(batch) == importChunk {
			if err := flush(); err != nil {
				return report, fmt.Errorf("member: import, up to row %d: %w", rows.row, err)
			}
			if in.Progress != nil {
				in.Progress(rows.row)
			}
		}
	}
	if err := flush(); err != nil {
		return report, fmt.Errorf("member: import, up to row %d: %w", rows.row, err)
	}
	if in.Progress != nil {
		in.Progress(rows.row)
	}
	return report, nil
}

func (r *Report) count(row int, result *EnrolResult) {
	switch why := refusal(result.Err); {
	case why != nil:
		r.refuse(row, why)
	case result.Status == Created:
		r.Created++
	case result.Status == Joined:
		r.Updated++
	case result.Status == Unified:
		r.Unified++
	default:
		r.Duplicates++
	}
}

func (r *Report) refuse(row int, why *fault.Error) {
	r.Rejected = append(r.Rejected, Refused{Row: row, Code: why.Code, Detail: why.Detail})
}

// enrolmentOf reads a row's fields, in the order of columns.
func (s *Service) enrolmentOf(ctx context.Context, in Import, fields []string) (Enrolment, error) {
	e := Enrolment{Program: in.Program, Channel: in.Channel, Brand: fields[colBrand], ExternalID: fields[colExternal], Name: strings.TrimSpace(fields[colName]),
		Store: fields[colStore], Level: strings.TrimSpace(fields[colLevel])}
	for _, f := range fields {
		if !utf8.ValidString(f) {
			return e, errInvalidText
		}
	}
	if in.Brand != "" && e.Brand != in.Brand {
		return e, errOtherBrand
	}
	if err := ident.Check("brand", e.Brand); err != nil {
		return e, err
	}
	brand, err := s.Brands.Brand(ctx, e.Brand)
	if err != nil {
		return e, err
	}
	if e.Phone, err = phone.Parse(fields[colPhone]); err != nil {
		return e, err
	}
	if fields[colPoints] != "" {
		if e.Points, err = strconv.ParseInt(fields[colPoints], 10, 64); err != nil || e.Points < 0 {
			return e, errInvalidPoints
		}
	}
	if fields[colJoined] != "" {
		date, err := when.ParseDate(fields[colJoined])
		if err != nil {
			return e, errInvalidDate
		}
		zone, err := zoneOf(brand)
		if err != nil {
			return e, err
		}
		e.JoinedAt = date.Start(zone, 0)
	}
	return e, nil
}

// rowReader reads CSV rows with their fields in the order of columns.
type rowReader struct {
	csv    *csv.Reader
	place  [len(columns)]int // of each column in the file
	width  int
	fields [len(columns)]string
	row    int // the one read last, from 1
}

func newRowReader(r io.Reader) (*rowReader, error) {
	rows := &rowReader{csv: csv.NewReader(r)}
	rows.csv.FieldsPerRecord = -1
	header, err := rows.csv.Read()
	var malformed *csv.ParseError
	switch {
	case errors.Is(err, io.EOF) || errors.As(err, &malformed):
		return nil, errNotCSV
	case err != nil:
		return nil, fmt.Errorf("member: import: %w", err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff")
	at := map[string]int{}
	for i, name := range header {
		if !utf8.ValidString(name) {
			return nil, errNotCSV
		}
		at[strings.TrimSpace(name)] = i
	}
	for i, name := range columns {
		place, ok := at[name]
		if !ok {
			return nil, errHeader
		}
		rows.place[i] = place
	}
	rows.width = len(header)
	return rows, nil
}

// next reads a row; the slice, not its strings, is used again by the next call. io.EOF after the last one, *fault.Error for a row to be refused.
func (r *rowReader) next() ([]string, error) {
	record, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	r.row++
	var malformed *csv.ParseError
	switch {
	case errors.As(err, &malformed):
		return nil, errMalformedRow
	case err != nil:
		return nil, err
	case len(record) < r.width:
		return nil, errMissingColumn
	case len(record) > r.width:
		return nil, errExtraColumn
	}
	for i, at := range r.place {
		r.fields[i] = record[at]
	}
	return r.fields[:], nil
}
