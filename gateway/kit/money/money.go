// Package money is the integer arithmetic that amounts are made with. Amounts are int64 minor units (fen), rates are basis
// points; nothing here or anywhere else touches a float.
package money

import (
	"math/bits"
	"sort"
)

// FullBps is 100 % in basis points.
const FullBps = 10_000

// MulDiv is floor(a × b ÷ c) with a 128-bit product, for a, b ≥ 0 and c > 0. It panics where the quotient does not fit an
// int64: the edge limits amounts so that it always does.
func MulDiv(a, b, c int64) int64 {
	if a < 0 || b < 0 || c <= 0 {
		panic("money: MulDiv takes a, b ≥ 0 and c > 0")
	}
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(hi, lo, uint64(c))
	if q > 1<<63-1 {
		panic("money: MulDiv overflows int64")
	}
	return int64(q)
}

// Bps is floor(amount × bps ÷ 10,000).
func Bps(amount, bps int64) int64 { return MulDiv(amount, bps, FullBps) }

// Split divides total over parts in proportion to weights by the largest remainder: each part gets its floor, and what is
// left goes one unit each to the largest remainders, ties to the earlier part. whole is what the weights are measured
// against: where they sum to whole, the parts sum to total; where they sum to less, the parts sum to
// floor(total × Σ weights ÷ whole). All arguments are ≥ 0, whole > 0, Σ weights ≤ whole.
func Split(total int64, weights []int64, whole int64) []int64 {
	parts := make([]int64, len(weights))
	remainders := make([]uint64, len(weights))
	var sum, given int64
	for i, w := range weights {
		hi, lo := bits.Mul64(uint64(total), uint64(w))
		q, r := bits.Div64(hi, lo, uint64(whole))
		parts[i], remainders[i] = int64(q), r
		sum += w
		given += int64(q)
	}
	left := MulDiv(total, sum, whole) - given
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return remainders[order[a]] > remainders[order[b]] })
	for _, i := range order[:left] {
		parts[i]++
	}
	return parts
}

// Cumulative is what is to be taken of share when the part of whole that has gone back grows from before to after:
// floor(share × after ÷ whole) − floor(share × before ÷ whole). Over any partition of returns the parts sum to share once
// everything is back. share ≥ 0, 0 ≤ before ≤ after ≤ whole, whole > 0.
func Cumulative(share, before, after, whole int64) int64 {
	return MulDiv(share, after, whole) - MulDiv(share, before, whole)
}
