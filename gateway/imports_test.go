package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The import rules of docs/architecture.md, read from the files themselves: `go list` would answer a cached test run.

var domains = []string{"member", "store", "guide", "commission"}

// onlyIn says which folders alone may import an outside module.
var onlyIn = map[string][]string{
	"github.com/gofiber/fiber":        {"gateway/api"},
	"github.com/danielgtaylor/huma":   {"gateway/api"},
	"go.mongodb.org/mongo-driver":     {"gateway/kit/docdb/mongodoc", "gateway/kit/docdb/docdbtest"},
	"modernc.org/sqlite":              {"gateway/kit/docdb/sqldoc"},
	"github.com/nats-io":              {"gateway/kit/stream"},
	"github.com/uber/h3-go":           {"geo"},
	"github.com/nyaruka/phonenumbers": {"gateway/kit/phone"},
}

func TestImportRules(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	files := 0
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && file != root && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		files++
		folder := path.Dir(filepath.ToSlash(relative))
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := forbidden(folder, imported, strings.HasSuffix(file, "_test.go")); why != "" {
				t.Errorf("%s imports %s: %s", relative, imported, why)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 50 {
		t.Fatalf("only %d files read: the walk does not see the module", files)
	}
}

// TestImportRulesRefuse shows that the rules can fail.
func TestImportRulesRefuse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		folder, imported string
		test, ok         bool
	}{
		{"member", "scrm/guide", false, false},
		{"member", "scrm/guide/guideevent", false, true},
		{"member/memberevent", "scrm/store/storeevent", false, false},
		{"member", "scrm/geo", false, true},
		{"geo", "scrm/store", false, false},
		{"store", "scrm/gateway/kit/docdb/sqldoc", false, false},
		{"store", "scrm/gateway/kit/docdb/sqldoc", true, true},
		{"commission", "scrm/gateway/api", false, false},
		{"commission", "github.com/nats-io/nats.go", false, false},
		{"gateway/kit/stream", "github.com/nats-io/nats.go/jetstream", false, true},
		{"gateway/kit/docdb", "scrm/store/storeevent", false, false},
		{"gateway/api", "scrm/commission", false, true},
		{"gateway/api", "scrm/gateway", false, false},
		{"gateway/demo", "scrm/store", false, false},
		{"gateway", "github.com/gofiber/fiber/v2", false, false},
	} {
		if got := forbidden(c.folder, c.imported, c.test); (got == "") != c.ok {
			t.Errorf("%s importing %s (test: %v): %q", c.folder, c.imported, c.test, got)
		}
	}
}

// forbidden says why a file of folder may not import imported, or nothing. Tests may open real engines.
func forbidden(folder, imported string, test bool) string {
	for module, folders := range onlyIn {
		if imported == module || strings.HasPrefix(imported, module+"/") {
			for _, f := range folders {
				if folder == f || strings.HasPrefix(folder, f+"/") {
					return ""
				}
			}
			return "only " + strings.Join(folders, ", ") + " may"
		}
	}
	inner, ours := strings.CutPrefix(imported, "scrm/")
	if !ours {
		return ""
	}
	leaf := strings.HasSuffix(inner, "event") && strings.Count(inner, "/") == 1
	kit := strings.HasPrefix(inner, "gateway/kit/")
	engine := strings.HasPrefix(inner, "gateway/kit/docdb/")
	top, _, _ := strings.Cut(folder, "/")
	switch {
	case strings.HasPrefix(folder, "gateway/kit"):
		if !kit {
			return "kit imports no domain"
		}
	case strings.HasSuffix(folder, "event") && top != "gateway":
		if inner != "gateway/kit/when" && inner != "gateway/kit/wire" && !test {
			return "an event package is a leaf"
		}
	case folder == "geo" || isDomain(top):
		switch {
		case leaf, inner == "geo", inner == top, strings.HasPrefix(inner, top+"/"):
		case kit && (!engine || test):
		case kit:
			return "a domain names no storage engine"
		default:
			return "a domain imports geo, events and kit only"
		}
	case folder == "gateway/api":
		if !kit && !leaf && !isDomain(inner) && inner != "geo" && inner != "gateway/web" {
			return "the edge imports domains and kit"
		}
	case strings.HasPrefix(folder, "gateway/demo"):
		if !kit && !strings.HasPrefix(inner, "gateway/demo") {
			return "the demo knows the HTTP interface only"
		}
	}
	return ""
}

func isDomain(folder string) bool {
	for _, d := range domains {
		if folder == d {
			return true
		}
	}
	return false
}
