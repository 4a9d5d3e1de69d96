package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
	"scrm/gateway/kit/when"
	"scrm/gateway/kit/wire"
	"scrm/store"
	"scrm/store/storeevent"
)

// The two operations through which transactions come in are the hot path: they are documented in the OpenAPI document like all others,
// but go to Fiber directly, and read their bodies by a typed decoder without huma's validation before it.

// maxWait is the longest that a client may wait for an outcome (Prefer: wait=N).
const maxWait = 10 * time.Second

// routeIntake adds the operations' routes; registerIntake documents them.
func (s *Server) routeIntake() {
	s.app.Post("/v1/pos/transactions", s.takeReceipts)
	s.app.Post("/v1/orders", s.takeOrders)
}

func (s *Server) registerIntake() {
	s.documentIntake(huma.Operation{
		Method: http.MethodPost, Path: "/v1/pos/transactions", OperationID: "submit-transactions", Tags: []string{"POS"},
		Summary: "Report a till's transaction, or up to 500 of them", Security: terminal.security(), Parameters: signatureHeaders(),
	})
	s.documentIntake(huma.Operation{
		Method: http.MethodPost, Path: "/v1/orders", OperationID: "submit-orders", Tags: []string{"POS"},
		Summary: "Report an online order or a refund, or up to 500 of them", Security: signedIn.security(),
	})
}

// takeReceipts is POST /v1/pos/transactions.
func (s *Server) takeReceipts(c *fiber.Ctx) error {
	body, err := intakeBody(c)
	if err != nil {
		return s.refuse(c, err)
	}
	p, err := s.verifySignature(c.UserContext(), c, body)
	if err != nil {
		return s.refuse(c, err)
	}
	return s.take(c, body, intake{source: "pos", terminal: p.terminal, clockOffset: p.ClockOffsetMillis})
}

// takeOrders is POST /v1/orders.
func (s *Server) takeOrders(c *fiber.Ctx) error {
	p, err := s.bearerOf(c)
	if err == nil {
		err = p.MustRole(BrandHQ)
	}
	var body []byte
	if err == nil {
		body, err = intakeBody(c)
	}
	if err != nil {
		return s.refuse(c, err)
	}
	return s.take(c, body, intake{source: "order", user: p})
}

func intakeBody(c *fiber.Ctx) ([]byte, error) {
	if err := checkJSON(c); err != nil {
		return nil, err
	}
	return readBody(c)
}

// intake is who sends transactions: a terminal, or a user for orders.
type intake struct {
	source      string
	terminal    *store.Terminal
	clockOffset int64
	user        *Principal
}

// taken is what became of one transaction at the edge: it is in INTAKE, or was refused.
type taken struct {
	transaction *storeevent.Transaction
	err         error
}

// take accepts transactions: decode, identify, check against the set-up, put into INTAKE, answer.
func (s *Server) take(c *fiber.Ctx, body []byte, from intake) error {
	ctx, cancel := s.requestContext(c, 0)
	defer cancel()
	in, errs, batch, err := decodeTransactions(body)
	if err != nil {
		return s.refuse(c, err)
	}
	items := s.admit(ctx, in, errs, from)
	seq, err := s.publish(ctx, items)
	if err != nil {
		return s.refuse(c, err)
	}
	s.count(from.source, items)
	if !batch && items[0].err != nil {
		return s.refuse(c, items[0].err)
	}
	views, settled := s.accepted(ctx, items), false
	if wait := preferredWait(c.Get("Prefer")); wait > 0 && seq > 0 {
		c.Set("Preference-Applied", "wait="+strconv.Itoa(int(wait.Seconds())))
		if settled, err = s.await(ctx, wait, seq, items, views); err != nil {
			// It is accepted; what failed is only the looking.
			s.log.WarnContext(ctx, "cannot wait for outcomes", "request_id", requestID(ctx), "error", err)
		}
	}
	status := http.StatusAccepted
	if settled {
		status = http.StatusOK
	}
	return answerIntake(c, status, views, batch)
}

// admit identifies the transactions and has store check them against the set-up. errs has what is known to be wrong already.
func (s *Server) admit(ctx context.Context, in []transaction, errs []error, from intake) []taken {
	now := s.Clock.Now()
	items, subs, positions := make([]taken, len(in)), make([]store.Submission, 0, len(in)), make([]int, 0, len(in))
	for i := range in {
		if items[i].err = errs[i]; items[i].err != nil {
			continue
		}
		sub, err := s.submission(ctx, &in[i], from, now)
		if err != nil {
			items[i].err = err
			continue
		}
		subs, positions = append(subs, sub), append(positions, i)
	}
	for j, a := range s.Services.Store.Admit(ctx, from.terminal, subs) {
		items[positions[j]] = taken{a.Transaction, a.Err}
	}
	return items
}

func (s *Server) submission(ctx context.Context, t *transaction, from intake, now when.Instant) (store.Submission, error) {
	terminal := ""
	if from.terminal != nil {
		terminal = from.terminal.ID
	} else {
		brand, err := from.user.OneBrand(t.Brand)
		if err != nil {
			return store.Submission{}, err
		}
		t.Brand = brand
	}
	sub, err := t.submission(terminal)
	if err != nil {
		return store.Submission{}, err
	}
	sub.ArrivedAt, sub.ClockOffset = now, from.clockOffset
	if t.Member != nil {
		if err := t.Member.check(); err != nil {
			return store.Submission{}, err
		}
		if sub.Member, err = s.identify(ctx, t.Member, now); err != nil {
			return store.Submission{}, err
		}
	}
	sub.Content = s.contents.mac(&sub, t.Member)
	return sub, nil
}

// identify replaces what identifies a person: a number by its blind index, with the number itself sealed for the member domain
// alone.
func (s *Server) identify(ctx context.Context, b *buyer, now when.Instant) (*storeevent.MemberRef, error) {
	switch {
	case b.Phone != "":
		index := s.Keys.BlindIndex(b.Phone)
		sealed, err := s.Services.Member.SealNumber(ctx, now, b.Phone, index)
		if err != nil {
			return nil, err
		}
		return &storeevent.MemberRef{Phone: index, Sealed: sealed}, nil
	case b.Code != "":
		return nil, errCode
	case b.Card != "":
		return &storeevent.MemberRef{Card: b.Card}, nil
	default:
		return &storeevent.MemberRef{ID: b.ID}, nil
	}
}

var errCode = fault.New(fault.Invalid, "code_unsupported", "member codes are not taken yet").At("member.code")

// publish puts what was admitted into INTAKE, together; seq is 0 if there was nothing to put.
func (s *Server) publish(ctx context.Context, items []taken) (seq uint64, err error) {
	payloads := make([][]byte, 0, len(items))
	for i := range items {
		if items[i].err != nil {
			continue
		}
		payload, err := wire.Marshal(items[i].transaction)
		if err != nil {
			return 0, fmt.Errorf("api: encode transaction: %w", err)
		}
		if len(payload) > stream.MaxItemSize {
			items[i] = taken{err: errItemTooLarge}
			continue
		}
		payloads = append(payloads, payload)
	}
	if len(payloads) == 0 {
		return 0, nil
	}
	if seq, err = s.Bus.Publish(ctx, stream.SubjectIntake, payloads...); err != nil {
		return 0, fmt.Errorf("api: accept: %w", err)
	}
	return seq, nil
}

var errItemTooLarge = fault.New(fault.TooLarge, "transaction_too_large", "a transaction has at most %d bytes", stream.MaxItemSize)

// count keeps the metrics of what comes in.
func (s *Server) count(source string, items []taken) {
	refused := 0
	for i := range items {
		if items[i].err != nil {
			refused++
		}
	}
	s.metrics.intake.WithLabelValues(source, "refused").Add(float64(refused))
	s.metrics.intake.WithLabelValues(source, "accepted").Add(float64(len(items) - refused))
}

// accepted is the answer for each transaction before anything is known of its outcome.
func (s *Server) accepted(ctx context.Context, items []taken) []outcomeView {
	views := make([]outcomeView, len(items))
	for i := range items {
		if err := items[i].err; err != nil {
			views[i] = s.refusedView(ctx, err)
			continue
		}
		views[i] = outcomeView{EventID: items[i].transaction.EventID, Status: storeevent.StatusAccepted}
	}
	return views
}

// refusedView is the answer for an item of a list that was refused.
func (s *Server) refusedView(ctx context.Context, err error) outcomeView {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		s.log.LogAttrs(ctx, slog.LevelError, "transaction failed", slog.String("request_id", requestID(ctx)), slog.Any("error", err))
	}
	view := outcomeView{Status: storeevent.StatusRejected, Code: p.Code, Detail: p.Detail}
	if len(p.Errors) > 0 {
		view.Field = p.Errors[0].Field
	}
	return view
}

// preferredWait is N seconds of the preference wait=N (RFC 7240), at most maxWait; 0 without it.
func preferredWait(header string) time.Duration {
	for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(name, "wait") {
			continue
		}
		if n, err := strconv.Atoi(strings.Trim(value, `"`)); err == nil && n > 0 {
			return min(time.Duration(n)*time.Second, maxWait)
		}
	}
	return 0
}

// answerIntake writes the answer: of one transaction, or of a list in its order.
func answerIntake(c *fiber.Ctx, status int, views []outcomeView, batch bool) error {
	var body []byte
	var err error
	switch {
	case batch:
		body, err = encodeJSON(struct {
			Items []outcomeView `json:"items"`
		}{views})
	case status == http.StatusAccepted:
		// The usual answer; event ids consist of characters that JSON writes as they are.
		body = append(append(append(body, `{"event_id":"`...), views[0].EventID...), `","status":"accepted"}`+"\n"...)
	default:
		body, err = encodeJSON(views[0])
	}
	if err != nil {
		return err
	}
	c.Status(status)
	c.Response().Header.SetContentType(fiber.MIMEApplicationJSON)
	c.Response().SetBodyRaw(body)
	return nil
}

// documentIntake adds an intake operation to the OpenAPI document.
func (s *Server) documentIntake(op huma.Operation) {
	schemas := s.api.OpenAPI().Components.Schemas
	one := schemas.Schema(reflect.TypeFor[transaction](), true, "Transaction")
	outcome := schemas.Schema(reflect.TypeFor[outcomeView](), true, "Outcome")
	problem := schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	most := MaxBatch
	many := func(property string, items *huma.Schema) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, Required: []string{property}, Properties: map[string]*huma.Schema{
			property: {Type: huma.TypeArray, Items: items, MaxItems: &most},
		}}
	}
	content := func(kind string, schema *huma.Schema) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{kind: {Schema: schema}}
	}
	op.Description = "Accepted transactions are on disk. In a list each item has its answer, in order, and a refused one spoils no other. " +
		"With Prefer: wait=N the answer is 200 with the outcome once it is decided and, where it is applied, projected by all domains; 202 where that takes longer."
	op.Parameters = append(op.Parameters, &huma.Param{Name: "Prefer", In: "header", Description: "wait=N: up to 10 seconds", Schema: &huma.Schema{Type: huma.TypeString}})
	op.RequestBody = &huma.RequestBody{Required: true, Content: content("application/json", &huma.Schema{OneOf: []*huma.Schema{one, many("transactions", one)}})}
	answers := content("application/json", &huma.Schema{OneOf: []*huma.Schema{outcome, many("items", outcome)}})
	op.Responses = map[string]*huma.Response{
		"200":     {Description: "Decided and projected", Content: answers},
		"202":     {Description: "Accepted", Content: answers},
		"default": {Description: "Error", Content: content(problemJSON, problem)},
	}
	s.api.OpenAPI().AddOperation(&op)
}

// at puts a field's path on an error that has none or a path below it.
func at(field string, err error) error {
	var f *fault.Error
	if !errors.As(err, &f) {
		return err
	}
	return f.At(field)
}
