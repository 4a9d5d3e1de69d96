// Package api is the HTTP edge: it alone knows Fiber, huma, status codes and tokens. Behind it stand the domain services,
// which take plain arguments and answer plain values or *fault.Error.
//
// # How to add operations of a domain
//
// A domain's operations live in one file, <domain>.go, with a registration method that routes.go calls:
//
//	func (s *Server) registerStore() {
//		register(s, operation{
//			Method: http.MethodPost, Path: "/v1/brands", ID: "create-brand", Tag: "Set-up", Summary: "Make a brand",
//			Status: http.StatusCreated, Creates: true,
//		}, s.createBrand)
//	}
//
//	func (s *Server) createBrand(ctx context.Context, in *body[brandInput]) (*reply[brandView], error) {
//		if err := caller(ctx).MustSetUp(in.Body.ID); err != nil {
//			return nil, err
//		}
//		…
//		return answer(view), nil           // or answerWith(http.StatusOK, view)
//	}
//
// The input is a struct as huma reads it: `path:"brand"`, `query:"brand"` and `header:"…"` tags, and a field Body for JSON
// (body[T] where that is all). Its tags are the validation: `required:"false"` or `omitempty` for what may be absent, `minLength`,
// `enum`, `doc`. Unknown fields are refused. Ids that clients choose go through ident.Check in the service or here. A list's input
// embeds Page, its output is *reply[list[T]].
//
// Errors are whatever the services return: problem.go maps fault kinds to statuses in one table, hides the detail of internal
// errors and logs them. Nothing may put input or personal data into a fault's detail.
//
// Who may call is said twice: operation.Access says how callers prove who they are (a signed-in user unless it says otherwise), and
// the handler asks caller(ctx), the Principal, whether that caller may do this to that thing. Reading what lies outside the caller's
// scope answers 404 (MustRead), doing what the role may never do 403 (MustSetUp, MustRole).
//
// A body that is streamed (CSV) is a field of type csvStream in the input; see body.go for its limits.
package api
