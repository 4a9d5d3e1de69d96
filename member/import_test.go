package member

import (
	"errors"
	"io"
	"strings"
	"testing"

	"scrm/gateway/kit/fault"
)

func FuzzRows(f *testing.F) {
	const header = "external_id,phone,name,level,points,joined,store,brand\n"
	for _, s := range []string{"", header, header + "S1,138,x,v1,1,2010-01-01,,aurora\n", header + "a,\"b\nc\",,,,,,\n", header + "\"", "\xff,\n", "{}", header + "\r\n,,\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := newRowReader(strings.NewReader(text))
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		for n := 1; ; n++ {
			fields, err := rows.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if rows.row != n || n > len(text)+1 {
				t.Fatalf("row %d is numbered %d", n, rows.row)
			}
			if err == nil && len(fields) != len(columns) || err != nil && refusal(err) == nil {
				t.Fatal(fields, err)
			}
		}
	})
}
