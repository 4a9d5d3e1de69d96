package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/wire"
	"scrm/store/storeevent"
)

// inIntake reads what INTAKE holds.
func (sh *shop) inIntake(n int) []storeevent.Transaction {
	sh.t.Helper()
	got := make(chan storeevent.Transaction, n)
	stop, err := sh.bus.Consume(sh.t.Context(), stream.Consumer{Stream: stream.Intake, Durable: "reader", Dead: lost,
		Handle: func(_ context.Context, items []stream.Item) ([]int, error) {
			for _, item := range items {
				var tx storeevent.Transaction
				if err := wire.Unmarshal(item.Data, &tx); err != nil {
					return nil, err
				}
				got <- tx
			}
			return nil, nil
		}})
	if err != nil {
		sh.t.Fatal(err)
	}
	defer stop()
	txs := make([]storeevent.Transaction, n)
	for i := range txs {
		txs[i] = <-got
	}
	return txs
}

func TestTakeReceipts(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	a := sh.sent("/v1/pos/transactions", receipt(1, object{"member": object{"phone": "１３８ 1234 5678"}})).want(202)
	if string(a.body) != `{"event_id":"pos/till-1/sale/R1","status":"accepted"}`+"\n" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s", a.header.Get("Content-Type"), a.body)
	}
	// The same content, written in another way, and other content under the same id.
	sh.clock.advance(time.Minute)
	sh.sent("/v1/pos/transactions?x=1", receipt(1, object{"member": object{"phone": "+8613812345678"}, "business_time": "2026-11-20T02:31:05Z"})).want(202)
	sh.sent("/v1/pos/transactions", receipt(1, object{"member": object{"phone": "13812345679"}})).want(202)
	sh.sent("/v1/pos/transactions", receipt(2, nil)).want(202)
	txs := sh.inIntake(4)
	first, same, other := txs[0], txs[1], txs[2]
	if string(first.Content) != string(same.Content) || string(first.Content) == string(other.Content) || len(first.Content) != 32 {
		t.Error("the content's hash does not tell the same from another")
	}
	if first.Member.Phone != sh.Keys.BlindIndex("+8613812345678") || same.ArrivedAt.Sub(first.ArrivedAt) != time.Minute || txs[3].Member != nil {
		t.Errorf("transaction %+v, member %+v", first, first.Member)
	}
	key, err := sh.Services.Member.DayKey(t.Context(), "2026-11-20")
	if err != nil {
		t.Fatal(err)
	}
	date, sealed := string(first.Member.Sealed[:10]), first.Member.Sealed[10:]
	if number, err := seal.Open(key, sealed, first.Member.Phone); date != "2026-11-20" || err != nil || string(number) != "+8613812345678" {
		t.Errorf("sealed under %s: %s, error %v", date, number, err)
	}
	if strings.Contains(sh.log.String(), "13812345678") {
		t.Error("the number is in the log")
	}
}

// TestRefusedReceipts is what is wrong with a transaction by itself or against the set-up.
func TestRefusedReceipts(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	line := func(changes object) object {
		l := object{"line": 1, "sku": "x", "brand": "aurora", "qty": 1, "unit_price": 100, "paid": 100}
		for k, v := range changes {
			l[k] = v
		}
		return object{"lines": []object{l}, "tenders": nil}
	}
	for _, c := range []struct {
		name   string
		change object
		status int
		code   string
		field  string
	}{
		{"malformed phone", object{"member": object{"phone": "1381234567"}}, 422, "phone_malformed", "member.phone"},
		{"landline", object{"member": object{"phone": "010-65529988"}}, 422, "phone_not_mobile", "member.phone"},
		{"two names", object{"member": object{"phone": "13812345678", "card": "O1"}}, 422, "member_ambiguous", "member"},
		{"no name", object{"member": object{}}, 422, "member_ambiguous", "member"},
		{"paid does not add up", line(object{"paid": 99}), 422, "paid_mismatch", "lines[0].paid"},
		{"unknown brand", line(object{"brand": "nobody"}), 422, "unknown_brand", "lines[0].brand"},
		{"brand not carried", line(object{"brand": "borealis"}), 422, "brand_not_carried", "lines[0].brand"},
		{"no time", object{"business_time": nil}, 422, "wrong_format", "business_time"},
		{"time without offset", object{"business_time": "2026-11-20T10:31:05"}, 422, "wrong_format", "business_time"},
		{"unknown field", object{"recipt": "x"}, 422, "unknown_field", "recipt"},
		{"unknown field of a line", line(object{"colour": "red"}), 422, "unknown_field", "lines[0].colour"},
		{"wrong type", object{"seq": "one"}, 422, "wrong_type", "seq"},
		{"a fraction", line(object{"paid": 99.5}), 422, "wrong_type", "lines[0].paid"},
		{"an order's field", object{"order_no": "T1"}, 422, "unknown_field", "order_no"},
		{"no lines", object{"lines": []object{}}, 422, "lines_required", "lines"},
		{"unknown type", object{"type": "gift"}, 422, "invalid_type", "type"},
		{"bad receipt number", object{"receipt": "R/1"}, 422, "invalid_number", "receipt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := sh.sent("/v1/pos/transactions", receipt(1, c.change)).wantProblem(c.status, c.code)
			if len(p.Errors) != 1 || p.Errors[0].Field != c.field {
				t.Errorf("errors %+v, want one of %s", p.Errors, c.field)
			}
		})
	}
	for _, c := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"not JSON", `{"receipt":`, 400, "malformed_json"},
		{"not UTF-8", "{\"receipt\":\"\xff\"}", 400, "invalid_utf8"},
		{"too large", `{"receipt":"` + strings.Repeat("x", MaxJSON) + `"}`, 413, "body_too_large"},
		{"no list", `{"transactions":[]}`, 422, "transactions_required"},
		{"long list", `{"transactions":[` + strings.Repeat("{},", MaxBatch) + `{}]}`, 422, "too_many_transactions"},
		{"twice the same name", `{"receipt":"R1","receipt":"R2"}`, 422, "duplicate_field"},
		{"array", `[]`, 422, "wrong_type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sh.sent("/v1/pos/transactions", []byte(c.body)).wantProblem(c.status, c.code)
		})
	}
	if last, err := sh.bus.LastSeq(t.Context(), stream.Intake); err != nil || last != 0 {
		t.Errorf("INTAKE has %d messages, error %v", last, err)
	}
}

func TestSignedRequests(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	raw, _ := json.Marshal(receipt(1, nil))
	const path = "/v1/pos/transactions"
	timestamp, signature := Sign(sh.till.Secret, "POST", path, sh.clock.Now().Time(), raw)
	send := func(terminal, timestamp, signature string) answerOf {
		return sh.do("POST", path, raw, header{terminalHeader, terminal}, header{timestampHeader, timestamp}, header{signatureHeader, signature})
	}
	send(sh.till.ID, timestamp, signature).want(202)
	send("nobody", timestamp, signature).wantProblem(401, "invalid_signature")
	send("", timestamp, signature).wantProblem(401, "invalid_signature")
	send(sh.till.ID, timestamp, signature[:len(signature)-1]+"0").want(map[bool]int{true: 202, false: 401}[strings.HasSuffix(signature, "0")])
	sh.do("POST", path, raw, sh.asAdmin()).wantProblem(401, "invalid_signature") // a user is no till
	sh.clock.advance(301 * time.Second)
	send(sh.till.ID, timestamp, signature).wantProblem(401, "timestamp_off")
}

func TestTakeLists(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	var got struct{ Items []outcomeView }
	sh.sent("/v1/pos/transactions", object{"transactions": []any{
		receipt(1, nil), receipt(2, object{"currency": "EUR"}), "nonsense", receipt(3, object{"member": object{"phone": "123"}}), receipt(4, nil), receipt(5, object{"seq": 1.5}),
		json.RawMessage(`{"receipt":"R6","receipt":"R7"}`),
	}}).want(202).into(&got)
	want := []outcomeView{
		{EventID: "pos/till-1/sale/R1", Status: "accepted"},
		{Status: "rejected", Code: "currency_mismatch", Field: "currency"},
		{Status: "rejected", Code: "wrong_type"},
		{Status: "rejected", Code: "phone_malformed", Field: "member.phone"},
		{EventID: "pos/till-1/sale/R4", Status: "accepted"},
		{Status: "rejected", Code: "wrong_type", Field: "seq"},
		{Status: "rejected", Code: "duplicate_field", Field: "receipt"},
	}
	if len(got.Items) != len(want) {
		t.Fatalf("%d items: %+v", len(got.Items), got.Items)
	}
	for i, w := range want {
		g := got.Items[i]
		if (g.Detail == "") != (w.Status == "accepted") {
			t.Errorf("item %d has detail %q", i, g.Detail)
		}
		if g.Detail = ""; g != w {
			t.Errorf("item %d: %+v, want %+v", i, g, w)
		}
	}
	if txs := sh.inIntake(2); txs[0].Receipt != "R1" || txs[1].Receipt != "R4" {
		t.Errorf("INTAKE has %+v", txs)
	}
}

func TestTakeOrders(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	order := func(changes object) object {
		o := receipt(1, object{"channel": "tmall", "order_no": "T1"})
		delete(o, "receipt")
		delete(o, "seq")
		for k, v := range changes {
			o[k] = v
		}
		return o
	}
	hq := Principal{Name: "hq", Role: BrandHQ, Brand: "aurora"}
	var got outcomeView
	sh.do("POST", "/v1/orders", order(nil), sh.as(hq)).want(202).into(&got)
	if got.EventID != "order/aurora/tmall/sale/T1" {
		t.Errorf("%+v", got)
	}
	sh.do("POST", "/v1/orders", order(object{"brand": "aurora", "order_no": "T2", "store": "s1"}), sh.asAdmin()).want(202)
	sh.do("POST", "/v1/orders", order(nil), sh.asAdmin()).wantProblem(422, "brand_required")
	sh.do("POST", "/v1/orders", order(object{"brand": "borealis"}), sh.as(hq)).wantProblem(404, "not_found")
	sh.do("POST", "/v1/orders", order(object{"receipt": "R1"}), sh.as(hq)).wantProblem(422, "unknown_field")
	sh.do("POST", "/v1/orders", order(nil), sh.as(Principal{Name: "a", Role: Auditor, Brand: "aurora"})).wantProblem(403, "forbidden")
	sh.do("POST", "/v1/orders", order(nil)).wantProblem(401, "not_signed_in")
	// A return's original is the body's own order unless it names another; written out or not, it is the same content.
	back := func(original object) object {
		return order(object{"type": "return", "refund_no": "F1", "tenders": nil, "lines": []object{
			{"line": 1, "sku": "x", "brand": "aurora", "qty": 1, "unit_price": 100, "paid": 100, "original": original},
		}})
	}
	sh.do("POST", "/v1/orders", back(object{"line": 1}), sh.as(hq)).want(202)
	sh.do("POST", "/v1/orders", back(object{"line": 1, "channel": "tmall", "order_no": "T1"}), sh.as(hq)).want(202)
	txs := sh.inIntake(4)
	if string(txs[2].Content) != string(txs[3].Content) || txs[2].Lines[0].Original.EventID != "order/aurora/tmall/sale/T1" {
		t.Errorf("%+v", txs[2:])
	}
}

func TestPreferWait(t *testing.T) {
	t.Parallel()
	sh := newShop(t, true)
	wait := header{"Prefer", "respond-async, wait=10"}
	var first outcomeView
	a := sh.sent("/v1/pos/transactions", receipt(1, nil), wait).want(200)
	a.into(&first)
	if first.Status != "applied" || first.Points == nil || len(*first.Points) != 0 || first.Commission == nil || a.header.Get("Preference-Applied") != "wait=10" {
		t.Errorf("%+v", first)
	}
	sh.clock.advance(time.Second)
	var again outcomeView
	sh.sent("/v1/pos/transactions", receipt(1, nil), wait).want(200).into(&again)
	if again.Status != "duplicate" || again.Points == nil {
		t.Errorf("%+v", again)
	}
	var other outcomeView
	sh.sent("/v1/pos/transactions", receipt(1, object{"guide": "g-2"}), wait).want(200).into(&other)
	if other.Status != "anomaly" || other.Code != "content_differs" || other.Points != nil {
		t.Errorf("%+v", other)
	}
	back := receipt(2, object{"type": "return", "tenders": nil, "lines": []object{
		{"line": 1, "sku": "85123A", "brand": "aurora", "qty": 3, "unit_price": 4900, "paid": 14700, "original": object{"receipt": "R1", "line": 1}},
	}})
	var tooMuch outcomeView
	sh.sent("/v1/pos/transactions", back, wait).want(200).into(&tooMuch)
	if tooMuch.Status != "anomaly" || tooMuch.Code != "return_exceeds_sale" || tooMuch.Detail == "" {
		t.Errorf("%+v", tooMuch)
	}
	var got struct{ Items []outcomeView }
	sh.sent("/v1/pos/transactions", object{"transactions": []any{receipt(3, nil), receipt(4, object{"currency": "EUR"}), receipt(1, nil)}}, wait).want(200).into(&got)
	if len(got.Items) != 3 || got.Items[0].Status != "applied" || got.Items[1].Status != "rejected" || got.Items[2].Status != "duplicate" {
		t.Errorf("%+v", got.Items)
	}
}

// TestPreferWaitInVain waits where nobody decides.
func TestPreferWaitInVain(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	var got outcomeView
	sh.sent("/v1/pos/transactions", receipt(1, nil), header{"Prefer", "wait=1"}).want(202).into(&got)
	if got.Status != "accepted" {
		t.Errorf("%+v", got)
	}
}

func TestPreferredWait(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": 0, "wait=2": 2 * time.Second, `wait="3"`: 3 * time.Second, "respond-async, wait=1": time.Second, "WAIT=5; x": 5 * time.Second,
		"wait=100000": maxWait, "wait=-1": 0, "wait=": 0, "wait": 0, "await=2": 0, "wait=1.5": 0, "wait=99999999999999999999": 0,
	} {
		if got := preferredWait(text); got != want {
			t.Errorf("preferredWait(%q) = %v, want %v", text, got, want)
		}
	}
}

// TestStreamGone takes nothing when there is nowhere to put it.
func TestStreamGone(t *testing.T) {
	t.Parallel()
	sh := newShop(t, false)
	if err := sh.bus.Close(); err != nil {
		t.Fatal(err)
	}
	a := sh.sent("/v1/pos/transactions", receipt(1, nil))
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// FuzzDecodeTransactions shows that no body makes the decoder panic, and that two bodies with one meaning have one content.
func FuzzDecodeTransactions(f *testing.F) {
	keys, err := seal.NewKeyring(make([]byte, seal.KeySize))
	if err != nil {
		f.Fatal(err)
	}
	c := newContents(keys)
	for _, r := range []any{receipt(1, nil), object{"transactions": []any{receipt(1, nil), receipt(2, object{"member": object{"phone": "13812345678"}})}}} {
		raw, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"transactions":[{"lines":[{"original":{}}]}]}`))
	f.Add([]byte(`{"transactions":null,"receipt":"` + "\xff" + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, errs, _, err := decodeTransactions(data)
		if err != nil {
			return
		}
		for i := range in {
			if errs[i] != nil {
				continue
			}
			rewritten, err := json.Marshal(in[i])
			if err != nil {
				t.Fatal(err)
			}
			var again transaction
			if err := decodeJSON(rewritten, &again, strict); err != nil {
				t.Fatalf("%v: %s", err, rewritten)
			}
			one, err1 := in[i].submission("till-1")
			two, err2 := again.submission("till-1")
			if (err1 == nil) != (err2 == nil) {
				t.Fatalf("%v, %v", err1, err2)
			}
			if err1 == nil && string(c.mac(&one, in[i].Member)) != string(c.mac(&two, again.Member)) {
				t.Errorf("the content of %s changed", rewritten)
			}
		}
	})
}
