package api

import (
	"context"
	"net/http"
	"time"

	"scrm/gateway/kit/money"
	"scrm/member"
)

func (s *Server) registerProgram() {
	register(s, operation{
		Method: http.MethodPut, Path: "/v1/brands/{brand}/programs/{program}", ID: "put-program", Tag: tagSetUp, Summary: "Put a card program into force",
		Description: "Every brand has the programs online and store. effective_from may lie in the past until the brand has accepted a transaction; absent: now. " +
			"Saying what is in force already changes nothing.",
	}, s.putProgram)
	register(s, operation{
		Method: http.MethodGet, Path: "/v1/brands/{brand}/programs/{program}", ID: "get-program", Tag: tagSetUp, Summary: "A card program's versions",
	}, s.getProgram)
}

// ProgramPath names a program in a path.
type ProgramPath struct {
	Brand   string `path:"brand"`
	Program string `path:"program"`
}

type programInput struct {
	ProgramPath
	Body struct {
		EffectiveFrom *time.Time `json:"effective_from,omitempty"`
		ProgramRules
	}
}

// ProgramRules are what a version of a program says.
type ProgramRules struct {
	Earn struct {
		PointsPerUnit int64            `json:"points_per_unit" doc:"points for each unit of minor units paid"`
		Unit          int64            `json:"unit"`
		Rounding      string           `json:"rounding,omitempty" enum:"down" default:"down"`
		Categories    map[string]int64 `json:"categories,omitempty" doc:"multipliers; a category that is not named has 1"`
	} `json:"earn"`
	PendingDays   int64         `json:"pending_days,omitempty" doc:"days until points are usable"`
	ExpireMonths  int64         `json:"expire_months,omitempty" doc:"0: never"`
	GrowthPerUnit int64         `json:"growth_per_unit,omitempty"`
	Tiers         []programTier `json:"tiers,omitempty" nullable:"false" maxItems:"50" doc:"ascending by growth, the first with 0"`
}

type programTier struct {
	ID                string `json:"id"`
	Name              string `json:"name,omitempty"`
	Growth            int64  `json:"growth"`
	EarnMultiplierBps *int64 `json:"earn_multiplier_bps,omitempty" doc:"10000 (×1) if absent"`
}

type programView struct {
	Brand         string    `json:"brand"`
	Program       string    `json:"program"`
	Version       int64     `json:"version"`
	EffectiveFrom time.Time `json:"effective_from"`
	ProgramRules
}

func (s *Server) putProgram(ctx context.Context, in *programInput) (*reply[programView], error) {
	if err := caller(ctx).MustSetUp(in.Brand); err != nil {
		return nil, err
	}
	b := &in.Body
	rules := member.Rules{
		Earn:        member.Earn{PointsPerUnit: b.Earn.PointsPerUnit, Unit: b.Earn.Unit, Categories: b.Earn.Categories},
		PendingDays: b.PendingDays, ExpireMonths: b.ExpireMonths, GrowthPerUnit: b.GrowthPerUnit,
	}
	for _, t := range b.Tiers {
		tier := member.Tier{ID: t.ID, Name: t.Name, Growth: t.Growth, MultiplierBps: money.FullBps}
		if t.EarnMultiplierBps != nil {
			tier.MultiplierBps = *t.EarnMultiplierBps
		}
		rules.Tiers = append(rules.Tiers, tier)
	}
	v, err := s.Services.Member.PutProgram(ctx, in.Brand, in.Program, rules, instant(b.EffectiveFrom))
	if err != nil {
		return nil, err
	}
	return answer(viewProgram(in.ProgramPath, v)), nil
}

func viewProgram(of ProgramPath, v member.Version) programView {
	view := programView{Brand: of.Brand, Program: of.Program, Version: v.Number, EffectiveFrom: v.From.Time()}
	view.Earn.PointsPerUnit, view.Earn.Unit, view.Earn.Rounding, view.Earn.Categories = v.Earn.PointsPerUnit, v.Earn.Unit, "down", v.Earn.Categories
	view.PendingDays, view.ExpireMonths, view.GrowthPerUnit = v.PendingDays, v.ExpireMonths, v.GrowthPerUnit
	for _, t := range v.Tiers {
		view.Tiers = append(view.Tiers, programTier{ID: t.ID, Name: t.Name, Growth: t.Growth, EarnMultiplierBps: &t.MultiplierBps})
	}
	return view
}

func (s *Server) getProgram(ctx context.Context, in *ProgramPath) (*reply[list[programView]], error) {
	if err := caller(ctx).MustRead(Scope{Brand: in.Brand}); err != nil {
		return nil, err
	}
	p, err := s.Services.Member.Program(ctx, in.Brand, in.Program)
	if err != nil {
		return nil, err
	}
	return answer(listOf(p.Versions, "", func(v member.Version) programView { return viewProgram(*in, v) })), nil
}
