package demo

import (
	"path/filepath"
	"time"
)

// Summary is what a demo did and found. Two runs over the same input differ in Run only.
type Summary struct {
	Rows              Rows           `json:"rows"`
	Members           int            `json:"members"`           // persons with a card of some brand
	DualCardMembers   int            `json:"dual_card_members"` // those with both cards of at least one brand
	Refused           Refused        `json:"refused"`
	Transactions      map[string]int `json:"transactions"` // by outcome
	ReturnLines       ReturnLines    `json:"return_lines"`
	ZReports          ZReports       `json:"z_reports"`
	CommissionEntries int64          `json:"commission_entries"`
	Statements        Statements     `json:"statements"`
	Audit             []Check        `json:"audit"`
	Run               Circumstances  `json:"run"`
}

// Rows counts what was read.
type Rows struct {
	Stores       int `json:"stores"`
	CRMOnline    int `json:"crm_online"`
	CRMStore     int `json:"crm_store"`
	ReceiptLines int `json:"receipt_lines"`
	Receipts     int `json:"receipts"` // and online orders
}

// Refused counts the imports' rows that were not taken. They stand in Run.RefusedFile, one by one.
type Refused struct {
	Total  int            `json:"total"`
	ByCode map[string]int `json:"by_code"`
}

// ReturnLines counts the lines of returns by whether they name the sale's line.
type ReturnLines struct {
	Matched   int `json:"matched"`
	Unmatched int `json:"unmatched"`
}

// ZReports counts the tills' reports by whether the server agreed.
type ZReports struct {
	Sent    int `json:"sent"`
	Matched int `json:"matched"`
}

// Statements are those of all days closed.
type Statements struct {
	Count   int   `json:"count"`
	Total   int64 `json:"total"`       // paid, minor units
	Carried int64 `json:"carried_out"` // by each payee's last statement, minor units: what is owed to the brands
}

// Check is an equation of the audit with its figures.
type Check struct {
	ID       string           `json:"id"`
	Name     string           `json:"name"`
	OK       bool             `json:"ok"`
	Figures  map[string]int64 `json:"figures"`
	Problems []string         `json:"problems"`
}

// Circumstances are what may differ between two runs over the same input.
type Circumstances struct {
	Address       string             `json:"address"`
	StartedAt     time.Time          `json:"started_at"`
	Seconds       map[string]float64 `json:"seconds"` // by step
	RefusedFile   string             `json:"refused_file"`
	UnifiedFile   string             `json:"unified_file"`
	Codes         map[string]int     `json:"codes"`          // of transactions that were not applied
	AuditPosition map[string]int64   `json:"audit_position"` // stream sequences
}

func newSummary(address, dir string) *Summary {
	return &Summary{
		Refused:      Refused{ByCode: map[string]int{}},
		Transactions: map[string]int{"applied": 0, "duplicate": 0, "waiting": 0, "anomaly": 0, "rejected": 0, "dead": 0},
		Run: Circumstances{
			Address: address, StartedAt: time.Now().UTC(), Seconds: map[string]float64{}, Codes: map[string]int{},
			RefusedFile: filepath.Join(dir, "refused.csv"), UnifiedFile: filepath.Join(dir, "unified.csv"),
			AuditPosition: map[string]int64{},
		},
	}
}

// OK reports whether every equation of the audit holds.
func (s *Summary) OK() bool {
	for _, c := range s.Audit {
		if !c.OK {
			return false
		}
	}
	return len(s.Audit) > 0
}

// positions are the audit's figures that say up to where in a stream they were taken.
var positions = []string{"store_intake_first", "store_intake_last"}

// takeAudit keeps the audit's figures, positions apart from the others.
func (s *Summary) takeAudit(checks []Check) {
	for _, c := range checks {
		for _, name := range positions {
			if figure, ok := c.Figures[name]; ok {
				s.Run.AuditPosition[name] = figure
				delete(c.Figures, name)
			}
		}
	}
	s.Audit = checks
}
