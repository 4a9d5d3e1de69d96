package api

// Services are the domains behind the edge. A test of one domain's operations may leave the others nil.
type Services struct {
}
