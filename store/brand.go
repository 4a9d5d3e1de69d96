package store

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
	"scrm/gateway/kit/when"
	"scrm/store/storeevent"
)

const (
	maxName    = 200 // characters of a name
	maxAddress = 500
	midnight   = "00:00"
)

// NewBrand is a brand to be made.
type NewBrand struct {
	ID            string
	Name          string
	Currency      string // ISO 4217
	Timezone      string // IANA name
	MaxAssignM    int64  // greatest distance of an assignment, metres
	FallbackStore string // may be made later: a store needs its brand first
	CloseAt       string // HH:MM in Timezone; empty: days are closed by hand only
}

// BrandChange changes what is not nil.
type BrandChange struct {
	Name          *string
	Currency      *string // only before the brand's first accepted transaction
	Timezone      *string // likewise
	MaxAssignM    *int64
	FallbackStore *string // must carry the brand; empty: none
	CloseAt       *string // empty: by hand only
}

type brandDoc struct {
	docdb.Doc     `json:",inline"`
	Name          string            `json:"name"`
	Currency      string            `json:"currency"`
	Timezone      string            `json:"timezone"`
	MaxAssignM    int64             `json:"max_assign_m"`
	FallbackStore string            `json:"fallback_store,omitempty"`
	CloseAt       string            `json:"close_at,omitempty"`
	FirstAccepted when.Instant      `json:"first_accepted,omitempty"`
	Zones         []storeevent.Zone `json:"zones,omitempty"`
}

// fact is the brand as others see it.
func (b *brandDoc) fact() storeevent.Brand {
	return storeevent.Brand{
		ID: b.ID, Name: b.Name, Currency: b.Currency, Timezone: b.Timezone, MaxAssignM: b.MaxAssignM, FallbackStore: b.FallbackStore,
		CloseAt: b.CloseAt, FirstAccepted: b.FirstAccepted, Zones: b.Zones, Rev: b.Rev,
	}
}

// makeBrand validates a new brand.
func makeBrand(in NewBrand) (*brandDoc, error) {
	b := &brandDoc{
		Doc: docdb.Doc{ID: in.ID}, Name: in.Name, Currency: in.Currency, Timezone: in.Timezone, MaxAssignM: in.MaxAssignM,
		FallbackStore: in.FallbackStore, CloseAt: in.CloseAt,
	}
	if err := ident.Check("id", in.ID); err != nil {
		return nil, err
	}
	return b, b.check()
}

// change makes a change; the brand must be checked afterwards. fault.Conflict with code "brand_in_use" where transactions depend
// on what is to change already.
func (b *brandDoc) change(c BrandChange) error {
	currency, timezone := deref(c.Currency, b.Currency), deref(c.Timezone, b.Timezone)
	if b.FirstAccepted > 0 && (currency != b.Currency || timezone != b.Timezone) {
		return fault.New(fault.Conflict, "brand_in_use", "currency and time zone stay once the brand has accepted a transaction")
	}
	before := storeevent.Zone{Timezone: b.Timezone, DayStarts: midnight}
	b.Currency, b.Timezone = currency, timezone
	b.addZone(before) // stores may have taken it over
	b.Name = deref(c.Name, b.Name)
	b.MaxAssignM = deref(c.MaxAssignM, b.MaxAssignM)
	b.FallbackStore = deref(c.FallbackStore, b.FallbackStore)
	b.CloseAt = deref(c.CloseAt, b.CloseAt)
	return b.check()
}

// addZone notes where days of a store begin; false if that is known.
func (b *brandDoc) addZone(z storeevent.Zone) bool {
	if z == (storeevent.Zone{Timezone: b.Timezone, DayStarts: midnight}) || slices.Contains(b.Zones, z) {
		return false
	}
	b.Zones = append(slices.Clip(b.Zones), z)
	return true
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

func (b *brandDoc) check() error {
	if err := checkText("name", b.Name, 1, maxName); err != nil {
		return err
	}
	if !currencyCode.MatchString(b.Currency) {
		return fault.New(fault.Invalid, "invalid_currency", "a currency is three capital letters (ISO 4217)").At("currency")
	}
	if err := checkTimezone("timezone", b.Timezone); err != nil {
		return err
	}
	if b.MaxAssignM < 0 || b.MaxAssignM > 20_100_000 {
		return fault.New(fault.Invalid, "invalid_distance", "the greatest distance of an assignment is 0 to 20,100 km").At("max_assign_km")
	}
	if b.FallbackStore != "" {
		if err := ident.Check("fallback_store", b.FallbackStore); err != nil {
			return err
		}
	}
	if b.CloseAt != "" {
		return checkTimeOfDay("close_at", b.CloseAt)
	}
	return nil
}

func checkTimezone(field, name string) error {
	if name == "" || name == "Local" || strings.Contains(name, "..") {
		return errTimezone.At(field)
	}
	if _, err := time.LoadLocation(name); err != nil {
		return errTimezone.At(field)
	}
	return nil
}

var errTimezone = fault.New(fault.Invalid, "invalid_timezone", "a time zone is an IANA name such as Asia/Shanghai")

func checkTimeOfDay(field, s string) error {
	if _, err := storeevent.ParseDayStart(s); err != nil {
		return fault.New(fault.Invalid, "invalid_time_of_day", "a time of day is HH:MM").At(field)
	}
	return nil
}

// checkText validates a text for people: least to most characters, all printable or spaces.
func checkText(field, text string, least, most int) error {
	if n := utf8.RuneCountInString(text); n < least || n > most || !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable) {
		return fault.New(fault.Invalid, "invalid_text", "this text has %d to %d printable characters", least, most).At(field)
	}
	return nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) && !unicode.Is(unicode.Zs, r) }

func deref[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}
