package stream

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// packed divides items over packs as the publisher does.
func packed(items [][]byte) (packs []pack) {
	for _, item := range items {
		if n := len(packs); n == 0 || !packs[n-1].fits(item) {
			packs = append(packs, pack{})
		}
		packs[len(packs)-1].add(item)
	}
	return packs
}

func TestPacksHoldEveryItemWithinTheLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var want [][]byte
		for i := range rapid.IntRange(0, 20).Draw(t, "runs") {
			size, times := rapid.IntRange(0, 300), rapid.IntRange(1, MaxItems+1)
			if rapid.Bool().Draw(t, "large") {
				size, times = rapid.IntRange(0, MaxBytes+100), rapid.IntRange(1, 3)
			}
			item := bytes.Repeat([]byte{byte(i)}, size.Draw(t, "size"))
			for range times.Draw(t, "times") {
				want = append(want, item)
			}
		}
		var got [][]byte
		for _, p := range packed(want) {
			if p.items > MaxItems || len(p.bytes) > MaxBytes && p.items > 1 {
				t.Fatalf("a pack has %d items in %d bytes", p.items, len(p.bytes))
			}
			n := 0
			if err := unpack(p.bytes, func(i int, item []byte) {
				if i != n {
					t.Fatalf("item %d has index %d", n, i)
				}
				n++
				got = append(got, item)
			}); err != nil || n != p.items {
				t.Fatalf("%d of %d items come out, %v", n, p.items, err)
			}
		}
		if !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatal("what comes out is not what went in")
		}
	})
}

func FuzzUnpack(f *testing.F) {
	var whole pack
	whole.add([]byte("item"))
	whole.add(nil)
	whole.add(bytes.Repeat([]byte{'x'}, 300))
	f.Add(whole.bytes)
	f.Add(whole.bytes[:len(whole.bytes)-1])
	f.Add([]byte{})
	f.Add([]byte{0x80})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'x'})
	f.Fuzz(func(t *testing.T, body []byte) {
		var again pack
		total := 0
		err := unpack(body, func(_ int, item []byte) {
			total += len(item)
			again.add(item)
		})
		if total > len(body) {
			t.Fatalf("%d bytes came out of %d", total, len(body))
		}
		if err != nil {
			return
		}
		var items, back [][]byte
		_ = unpack(body, func(_ int, item []byte) { items = append(items, item) })
		if err := unpack(again.bytes, func(_ int, item []byte) { back = append(back, item) }); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(items, back, bytes.Equal) {
			t.Fatal("packing what was unpacked gives other items")
		}
	})
}
