package stream_test

import (
	"context"

	"scrm/gateway/kit/stream"
)

func handleAndHang(bus *stream.Bus) { _ = context.Background() }
