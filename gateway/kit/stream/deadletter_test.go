package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
)

func openDeadLetters(t *testing.T) *DeadLetters {
	t.Helper()
	d := NewDeadLetters(nil)
	d.db = openDB(t, d.Schema())
	return d
}

// A consumer's poison, from its handling in vain to its replay.
func TestDeadLetterIsReplayedOnce(t *testing.T) {
	t.Parallel()
	b, d := openQuiet(t, Config{}), openDeadLetters(t)
	mended := false
	booked := map[string]int{}
	handle := func(_ context.Context, items []Item) ([]int, error) {
		for _, item := range items {
			if string(item.Data) == "poison" && !mended {
				return nil, errors.New("a defect")
			}
		}
		for _, item := range items {
			booked[string(item.Data)]++
		}
		return nil, nil
	}
	stop, err := b.Consume(t.Context(), Consumer{Stream: Sales, Durable: "member", Handle: handle,
		Dead: d.Keep("member", func(item Item) []string { return []string{"event of " + string(item.Data)} })})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	seq, err := b.Publish(t.Context(), SubjectSales, []byte("good"), []byte("poison"), []byte("good too"))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.WaitDone(t.Context(), Sales, "member", seq); err != nil {
		t.Fatal(err)
	}
	stop()

	page, err := d.List(t.Context(), true, 10, "")
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d open dead letters, %v", len(page.Items), err)
	}
	l := page.Items[0]
	if l.ID != "member.000000000001.0001" || l.Subject != SubjectSales || string(l.Data) != "poison" || l.Tries != maxTries ||
		l.Kind != "internal" || l.Detail != "a defect" || l.At == 0 || !l.Open || l.ReplayedAt != 0 {
		t.Errorf("the dead letter is %+v", l)
	}
	held, err := d.Held(t.Context(), d.db, "event of poison", "event of good")
	if err != nil || len(held) != 1 || !held["event of poison"] {
		t.Errorf("held are %v, %v", held, err)
	}

	if err := d.Replay(t.Context(), l.ID, handle); err == nil {
		t.Error("a replay that failed again is no error")
	}
	mended = true
	for range 2 { // again is harmless
		if err := d.Replay(t.Context(), l.ID, handle); err != nil {
			t.Fatal(err)
		}
	}
	if booked["poison"] != 1 || booked["good"] != 1 || booked["good too"] != 1 {
		t.Errorf("booked were %v", booked)
	}
	l, err = d.Get(t.Context(), l.ID)
	if err != nil || l.Open || l.ReplayedAt == 0 {
		t.Errorf("after the replay the dead letter is %+v, %v", l, err)
	}
	if held, err = d.Held(t.Context(), d.db, "event of poison"); err != nil || len(held) != 0 {
		t.Errorf("after the replay held are %v, %v", held, err)
	}
	page, err = d.List(t.Context(), true, 10, "")
	if err != nil || len(page.Items) != 0 {
		t.Errorf("after the replay %d dead letters are open, %v", len(page.Items), err)
	}
}

func TestDeadLetterAddedAgain(t *testing.T) {
	t.Parallel()
	d := openDeadLetters(t)
	add := func(data string) {
		t.Helper()
		letter := NewDeadLetter("store", Item{Subject: SubjectIntake, Seq: 7, Index: 3, Data: []byte(data)}, fault.New(fault.Invalid, "bad", "bad"))
		err := d.db.Tx(t.Context(), func(ctx context.Context, tx docdb.Session) error { return d.Add(ctx, tx, letter) })
		if err != nil {
			t.Fatal(err)
		}
	}
	add("item")
	add("item") // delivered again after a crash
	add("item of a stream made anew")
	add("item of a stream made anew")
	page, err := d.List(t.Context(), false, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range page.Items {
		got = append(got, string(l.Data))
	}
	if !slices.Equal(got, []string{"item", "item of a stream made anew"}) {
		t.Errorf("stored are %q", got)
	}
}

func TestDeadLettersArePaged(t *testing.T) {
	t.Parallel()
	d := openDeadLetters(t)
	for i := range 5 {
		if err := d.Add(t.Context(), d.db, NewDeadLetter("store", Item{Seq: uint64(i + 1)}, errors.New("defect"))); err != nil {
			t.Fatal(err)
		}
	}
	for _, open := range []bool{true, false} {
		var ids []string
		for cursor, first := "", true; first || cursor != ""; first = false {
			page, err := d.List(t.Context(), open, 2, cursor)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range page.Items {
				ids = append(ids, l.ID)
			}
			cursor = page.Next
		}
		if len(ids) != 5 || !slices.IsSorted(ids) {
			t.Errorf("open %t: the pages have %v", open, ids)
		}
	}
}

func TestReplayRefuses(t *testing.T) {
	t.Parallel()
	d := openDeadLetters(t)
	wantFault(t, d.Replay(t.Context(), "member.000000000001.0001", accept), fault.NotFound, "not_found")

	letter := NewDeadLetter("member", Item{Seq: 1}, errors.New("defect"))
	if err := d.Add(t.Context(), d.db, letter); err != nil {
		t.Fatal(err)
	}
	putOff := func(context.Context, []Item) ([]int, error) { return []int{0}, nil }
	wantFault(t, d.Replay(t.Context(), letter.ID, putOff), fault.Conflict, "cannot_be_done_yet")
	if l, err := d.Get(t.Context(), letter.ID); err != nil || !l.Open {
		t.Errorf("a replay that was put off leaves %+v, %v", l, err)
	}
}

func TestTornMessageIsADeadLetter(t *testing.T) {
	t.Parallel()
	b, d := openQuiet(t, Config{}), openDeadLetters(t)
	whole := func(item string) []byte {
		var p pack
		p.add([]byte(item))
		return p.bytes
	}
	torn := append(whole("first"), 200, 1, 'x')
	for _, body := range [][]byte{whole("before"), torn, whole("after")} {
		if _, err := b.js.PublishMsg(t.Context(), &nats.Msg{Subject: SubjectSales, Data: body}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	stop, err := b.Consume(t.Context(), Consumer{Stream: Sales, Durable: "member", Dead: d.Keep("member", nil),
		Handle: func(_ context.Context, items []Item) ([]int, error) {
			for _, item := range items {
				got = append(got, string(item.Data))
			}
			return nil, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := b.WaitDone(t.Context(), Sales, "member", 3); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, []string{"before", "after"}) {
		t.Errorf("handled were %q", got)
	}
	page, err := d.List(t.Context(), true, 10, "")
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d dead letters, %v", len(page.Items), err)
	}
	if l := page.Items[0]; l.Code != "torn_message" || !slices.Equal(l.Data, torn) || l.ID != fmt.Sprintf("member.%012d.0000", 2) {
		t.Errorf("the dead letter is %+v", l)
	}
}
