package when

import (
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestDateIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		at, zone  string
		dayStarts time.Duration
		want      Date
	}{
		{"2026-11-20T10:31:05+08:00", "Asia/Shanghai", 0, "2026-11-20"},
		{"2026-11-19T16:00:00Z", "Asia/Shanghai", 0, "2026-11-20"},
		{"2026-11-20T01:59:59+08:00", "Asia/Shanghai", 2 * time.Hour, "2026-11-19"},
		{"2026-11-20T02:00:00+08:00", "Asia/Shanghai", 2 * time.Hour, "2026-11-20"},
		{"2026-03-29T02:30:00Z", "Europe/Berlin", 4 * time.Hour, "2026-03-29"}, // 04:30 summer time, on the day the clocks change
		{"2026-03-29T01:30:00Z", "Europe/Berlin", 4 * time.Hour, "2026-03-28"},
		{"2026-01-01T00:30:00+08:00", "Asia/Shanghai", time.Hour, "2025-12-31"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := DateIn(Of(at), zone(t, c.zone), c.dayStarts); got != c.want {
			t.Errorf("DateIn(%s, %s, %s) = %s, want %s", c.at, c.zone, c.dayStarts, got, c.want)
		}
	}
}

func TestDateStartIsWithinItsDate(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"} {
		loc := zone(t, name)
		for d, end := Date("2025-12-20"), Date("2026-12-20"); d < end; d = d.Add(1) {
			start := d.Start(loc, 90*time.Minute)
			if DateIn(start, loc, 90*time.Minute) != d || DateIn(start-1, loc, 90*time.Minute) != d.Add(-1) {
				t.Fatalf("%s in %s starts at %s", d, name, start)
			}
		}
	}
}

func TestDateArithmetic(t *testing.T) {
	t.Parallel()
	if got := Date("2026-02-27").Add(2); got != "2026-03-01" {
		t.Error(got)
	}
	if got := Date("2026-03-01").DaysSince("2026-02-27"); got != 2 {
		t.Error(got)
	}
	if got := Date("2026-01-31").Months(12); got != "2027-01-31" {
		t.Error(got)
	}
	if _, err := ParseDate("2026-02-30"); err == nil {
		t.Error("30 February parsed")
	}
}

func TestSecondEnd(t *testing.T) {
	t.Parallel()
	if got := Instant(5000).SecondEnd(); got != 5999 {
		t.Error(got)
	}
	if got := Instant(5001).SecondEnd(); got != 5001 {
		t.Error(got)
	}
}
