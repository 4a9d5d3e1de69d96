package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/seal"
	"scrm/gateway/kit/when"
)

// A POST that creates may carry an Idempotency-Key, so that a client that did not get the answer can send the request again. The first
// request under a key runs; its answer is kept for keptFor and given again to the same request, with Idempotency-Replayed: true. The
// key is the user's own. Answers of 500 and more are not kept: there the request may be tried again. Answers are kept sealed under the
// master key, since some show a secret once, or a person's data.
const (
	idempotencyKey     = "Idempotency-Key"
	idempotencyPurpose = "idempotency"
	keptFor            = 24 * time.Hour
	// claimFor is how long a request under way holds its key; a process that dies within it frees the key then.
	claimFor = 2 * time.Minute
	maxKey   = 255
)

// answered is a request under a key: under way while Status is 0, else with its answer. Its id is <day>|<hash of user and key>, so
// that old ones go by a range of ids.
type answered struct {
	docdb.Doc   `json:",inline"`
	Input       string       `json:"input"` // hash of method, path and body
	StartedAt   when.Instant `json:"started_at"`
	Status      int64        `json:"status,omitempty"`
	ContentType string       `json:"content_type,omitempty"`
	Sealed      []byte       `json:"sealed,omitempty"` // the answer's body
}

var kept = docdb.Define[answered]("idempotency")

var (
	errKeyReused  = fault.New(fault.Invalid, "idempotency_key_reused", "this Idempotency-Key was used for another request")
	errInProgress = fault.New(fault.Conflict, "request_in_progress", "the first request with this Idempotency-Key is still under way")
	errBadKey     = fault.New(fault.Invalid, "invalid_idempotency_key", "an Idempotency-Key has 1 to %d visible ASCII characters", maxKey).At(idempotencyKey)
)

func idempotencyHeader() *huma.Param {
	return &huma.Param{Name: idempotencyKey, In: "header", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "makes repeating this request harmless for 24 hours: the first answer is given again"}
}

// idempotent runs a request at most once under its key.
func (s *Server) idempotent(c *call, p *Principal, key string, run func()) {
	doc, replay, err := s.claim(c, p, key)
	switch {
	case err != nil:
		_ = s.refuse(c.fiber, err)
		return
	case replay:
		plain, err := seal.Open(s.Keys.Key(idempotencyPurpose), doc.Sealed, doc.ID)
		if err != nil {
			_ = s.refuse(c.fiber, err)
			return
		}
		c.fiber.Status(int(doc.Status))
		c.fiber.Set("Content-Type", doc.ContentType)
		c.fiber.Set("Idempotency-Replayed", "true")
		_ = c.fiber.Send(plain)
		return
	}
	run()
	if err := s.keep(c, doc); err != nil {
		// The request has taken effect, and its own rules (ids that exist already) guard a repetition.
		s.log.WarnContext(c.ctx, "idempotent answer not kept", "request_id", requestID(c.ctx), "error", err)
	}
}

// claim takes the key for this request, or finds the answer of the one that had it.
func (s *Server) claim(c *call, p *Principal, key string) (doc *answered, replay bool, err error) {
	if len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, false, errBadKey
	}
	payload, err := c.wholeBody()
	if err != nil {
		return nil, false, err
	}
	now := s.Clock.Now()
	doc = &answered{Input: hashed256(c.Method(), string(c.fiber.Request().RequestURI()), string(payload)), StartedAt: now}
	id := "|" + hashed256(string(p.Role), p.Name, key)
	today, yesterday := dayOf(now)+id, dayOf(now.Add(-keptFor))+id
	found, err := kept.GetMany(c.ctx, s.DB, today, yesterday)
	if err != nil {
		return nil, false, err
	}
	for _, old := range []*answered{found[today], found[yesterday]} {
		switch {
		case old == nil || old.StartedAt.Add(keptFor) <= now:
		case old.Input != doc.Input:
			return nil, false, errKeyReused
		case old.Status != 0:
			return old, true, nil
		case old.StartedAt.Add(claimFor) > now:
			return nil, false, errInProgress
		default: // its process died
			old.StartedAt = now
			return old, false, inProgress(kept.Replace(c.ctx, s.DB, old))
		}
	}
	if err := s.forgetAnswers(c.ctx, now); err != nil {
		return nil, false, err
	}
	doc.ID = today
	return doc, false, inProgress(kept.Insert(c.ctx, s.DB, doc))
}

// forgetAnswers deletes the answers of days gone by, once a day in each process.
func (s *Server) forgetAnswers(ctx context.Context, now when.Instant) error {
	before := dayOf(now.Add(-keptFor))
	if last := s.forgotten.Swap(&before); last != nil && *last == before {
		return nil
	}
	_, err := kept.DeleteRange(ctx, s.DB, "", before)
	return err
}

// inProgress makes losing a race for a key what it is.
func inProgress(err error) error {
	if fault.Is(err, fault.Exists) || fault.Is(err, fault.Conflict) {
		return errInProgress
	}
	return err
}

// keep stores a request's answer, or frees its key where trying again makes sense.
func (s *Server) keep(c *call, doc *answered) error {
	response := c.fiber.Response()
	if response.StatusCode() >= http.StatusInternalServerError || response.StatusCode() == http.StatusConflict {
		return kept.Delete(c.ctx, s.DB, doc.ID)
	}
	doc.Status = int64(response.StatusCode())
	doc.ContentType = string(response.Header.ContentType())
	doc.Sealed = seal.Seal(s.Keys.Key(idempotencyPurpose), response.Body(), doc.ID)
	return kept.Replace(c.ctx, s.DB, doc)
}

// dayOf orders ids by the day (UTC) on which a key was first used.
func dayOf(at when.Instant) string { return at.Time().Format(time.DateOnly) }

// hashed256 is a hash of parts that no other parts have.
func hashed256(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
