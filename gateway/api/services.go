package api

import (
	"scrm/commission"
	"scrm/guide"
	"scrm/member"
	"scrm/store"
)

// Services are the domains behind the edge. A test of one domain's operations may leave the others nil.
type Services struct {
	Store      *store.Service
	Member     *member.Service
	Guide      *guide.Service
	Commission *commission.Service
}
