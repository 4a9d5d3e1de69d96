package api

import (
	"context"
	"net/http"
	"time"

	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/stream"
)

// deadLetters is what a domain could not work off, and how to try again.
type deadLetters interface {
	DeadLetters() *stream.DeadLetters
	Replay(ctx context.Context, id string) error
}

// domain finds a domain by its name.
func (s *Server) domain(name string) (deadLetters, error) {
	switch name {
	case "store":
		return s.Services.Store, nil
	case "member":
		return s.Services.Member, nil
	case "guide":
		return s.Services.Guide, nil
	case "commission":
		return s.Services.Commission, nil
	}
	return nil, fault.New(fault.NotFound, "unknown_domain", "the domains are store, member, guide and commission").At("domain")
}

func (s *Server) registerDeadLetters() {
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/dead-letters", ID: "list-dead-letters", Tag: "Running", Summary: "Events that a domain could not work off",
		Description: "For platform admins.",
	}, s.listDeadLetters)
	register(s, operation{
		Method: http.MethodPost, Path: "/v1/dead-letters/{domain}/{id}/replay", ID: "replay-dead-letter", Tag: "Running",
		Summary:     "Work a dead letter off once more, after its cause is mended",
		Description: "For platform admins. One that was replayed already stays as it is.",
	}, s.replayDeadLetter)
}

type deadLetterQuery struct {
	Page
	Domain string `query:"domain" required:"true" enum:"store,member,guide,commission"`
	All    bool   `query:"all" doc:"also those that were replayed"`
}

type deadLetterView struct {
	ID         string     `json:"id"`
	Consumer   string     `json:"consumer"`
	Subject    string     `json:"subject"`
	Keys       []string   `json:"keys" nullable:"false" doc:"event ids"`
	Kind       string     `json:"kind"`
	Code       string     `json:"code"`
	Detail     string     `json:"detail"`
	Tries      int64      `json:"tries"`
	At         time.Time  `json:"at"`
	ReplayedAt *time.Time `json:"replayed_at,omitempty"`
}

func (s *Server) listDeadLetters(ctx context.Context, in *deadLetterQuery) (*reply[list[deadLetterView]], error) {
	if err := caller(ctx).MustRole(PlatformAdmin); err != nil {
		return nil, err
	}
	d, err := s.domain(in.Domain)
	if err != nil {
		return nil, err
	}
	found, err := d.DeadLetters().List(ctx, !in.All, in.Limit, in.Cursor)
	if err != nil {
		return nil, err
	}
	return answer(listOf(found.Items, found.Next, viewDeadLetter)), nil
}

func viewDeadLetter(d *stream.DeadLetter) deadLetterView {
	v := deadLetterView{
		ID: d.ID, Consumer: d.Consumer, Subject: d.Subject, Keys: append([]string{}, d.Keys...), Kind: d.Kind, Code: d.Code, Detail: d.Detail,
		Tries: d.Tries, At: d.At.Time(),
	}
	if d.ReplayedAt != 0 {
		at := d.ReplayedAt.Time()
		v.ReplayedAt = &at
	}
	return v
}

type oneDeadLetter struct {
	Domain string `path:"domain"`
	ID     string `path:"id"`
}

type replayed struct {
	ID       string `json:"id"`
	Replayed bool   `json:"replayed"`
}

func (s *Server) replayDeadLetter(ctx context.Context, in *oneDeadLetter) (*reply[replayed], error) {
	if err := caller(ctx).MustRole(PlatformAdmin); err != nil {
		return nil, err
	}
	d, err := s.domain(in.Domain)
	if err != nil {
		return nil, err
	}
	if err := d.Replay(ctx, in.ID); err != nil {
		return nil, err
	}
	return answer(replayed{in.ID, true}), nil
}
