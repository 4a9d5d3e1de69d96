package money

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func TestMulDivIsExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.Int64Range(1, 1<<40).Draw(t, "c")
		a := rapid.Int64Range(0, 1<<50).Draw(t, "a")
		b := rapid.Int64Range(0, c).Draw(t, "b")
		want := new(big.Int).Div(new(big.Int).Mul(big.NewInt(a), big.NewInt(b)), big.NewInt(c))
		if got := MulDiv(a, b, c); got != want.Int64() {
			t.Fatalf("MulDiv(%d, %d, %d) = %d, want %s", a, b, c, got, want)
		}
	})
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		total   int64
		weights []int64
		want    []int64
	}{
		{100, []int64{6000, 3000, 1000}, []int64{60, 30, 10}},
		{1, []int64{5000, 5000}, []int64{1, 0}},           // a tie goes to the earlier part
		{10, []int64{3333, 3333, 3334}, []int64{3, 3, 4}}, // the largest remainder first
		{7, []int64{2500, 2500}, []int64{2, 1}},           // floor(7 × 0.5) = 3 in all
		{0, []int64{6000, 4000}, []int64{0, 0}},
		{5, nil, []int64{}},
	} {
		got := Split(c.total, c.weights, FullBps)
		for i := range c.want {
			if got[i] != c.want[i] {
				t.Errorf("Split(%d, %v) = %v, want %v", c.total, c.weights, got, c.want)
				break
			}
		}
	}
}

func TestSplitSumsAndIsFair(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Int64Range(0, 1<<45).Draw(t, "total")
		var weights []int64
		left := int64(FullBps)
		for range rapid.IntRange(0, 6).Draw(t, "parts") {
			w := rapid.Int64Range(0, left).Draw(t, "weight")
			weights = append(weights, w)
			left -= w
		}
		parts := Split(total, weights, FullBps)
		var sum int64
		for i, p := range parts {
			sum += p
			if floor := Bps(total, weights[i]); p != floor && p != floor+1 {
				t.Fatalf("part %d is %d, its floor %d", i, p, floor)
			}
		}
		if want := Bps(total, FullBps-left); sum != want {
			t.Fatalf("parts sum to %d, want %d", sum, want)
		}
	})
}

func TestCumulativePartsSumToTheShare(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.Int64Range(0, 1<<40).Draw(t, "share")
		whole := rapid.Int64Range(1, 1<<40).Draw(t, "whole")
		var before, taken int64
		for before < whole {
			after := rapid.Int64Range(before+1, whole).Draw(t, "after")
			part := Cumulative(share, before, after, whole)
			if part < 0 {
				t.Fatalf("a return gave %d back", part)
			}
			taken += part
			before = after
		}
		if taken != share {
			t.Fatalf("everything is back, taken %d of %d", taken, share)
		}
	})
}
