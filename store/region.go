package store

import (
	"scrm/gateway/kit/docdb"
	"scrm/gateway/kit/fault"
	"scrm/gateway/kit/ident"
)

// Region is a node of a brand's tree of regions. A parent is made before its children and never changes, so there are no cycles.
type Region struct {
	Brand  string
	ID     string // unique within the brand
	Name   string
	Parent string // empty: a root
}

// Dealer is a company that runs stores under brands that are not its own.
type Dealer struct {
	ID   string
	Name string
}

type regionDoc struct {
	docdb.Doc `json:",inline"`
	Brand     string `json:"brand"`
	Region    string `json:"region"`
	Name      string `json:"name"`
	Parent    string `json:"parent,omitempty"`
}

type dealerDoc struct {
	docdb.Doc `json:",inline"`
	Name      string `json:"name"`
}

// regionID is a region's id in the collection, so that a brand's regions are a range of ids.
func regionID(brand, region string) string { return brand + "/" + region }

func makeRegion(in Region) (*regionDoc, error) {
	if err := ident.Check("id", in.ID); err != nil {
		return nil, err
	}
	if in.Parent == in.ID {
		return nil, errRegion.At("parent")
	}
	return &regionDoc{
		Doc: docdb.Doc{ID: regionID(in.Brand, in.ID)}, Brand: in.Brand, Region: in.ID, Name: in.Name, Parent: in.Parent,
	}, checkText("name", in.Name, 1, maxName)
}

func (r *regionDoc) region() Region {
	return Region{Brand: r.Brand, ID: r.Region, Name: r.Name, Parent: r.Parent}
}

func makeDealer(in Dealer) (*dealerDoc, error) {
	if err := ident.Check("id", in.ID); err != nil {
		return nil, err
	}
	return &dealerDoc{Doc: docdb.Doc{ID: in.ID}, Name: in.Name}, checkText("name", in.Name, 1, maxName)
}

var (
	errBrand  = fault.New(fault.Invalid, "unknown_brand", "there is no such brand")
	errRegion = fault.New(fault.Invalid, "unknown_region", "the brand has no such region")
	errDealer = fault.New(fault.Invalid, "unknown_dealer", "there is no such dealer")
	errStore  = fault.New(fault.Invalid, "unknown_store", "there is no such store")
)
