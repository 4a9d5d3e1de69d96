package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"scrm/gateway/demo"
	"scrm/gateway/demo/dataset"
	"scrm/gateway/kit/audit"
	"scrm/gateway/kit/logging"
)

// environment is what commands run in.
type environment struct {
	Config
	log            *slog.Logger
	stdout, stderr io.Writer
}

// quietly is the same environment with a log of warnings and errors only, unless the configuration asks for something else than the
// default: for commands that tell themselves how far they are.
func (e *environment) quietly() *environment {
	if e.LogLevel != defaults().LogLevel {
		return e
	}
	q := *e
	q.LogLevel = "warn"
	q.log = logging.New(e.stderr, q.level())
	return &q
}

// stopTimeout is how long requests and work under way may take to end.
const stopTimeout = 20 * time.Second

// running is a server of this process, on a data directory that it holds.
type running struct {
	*App
	dir *dataDir
	url string
}

// start holds the data directory and starts a server on it.
func (e *environment) start(ctx context.Context) (*running, error) {
	for _, w := range e.warnings() {
		e.log.Warn(w)
	}
	dir, err := holdDataDir(e.Data)
	if err != nil {
		return nil, err
	}
	app, err := Start(ctx, e.Config, e.log)
	if err != nil {
		return nil, errors.Join(err, dir.release())
	}
	r := &running{App: app, dir: dir, url: "http://" + app.Addr}
	if err := dir.announce(r.url); err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

func (r *running) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return errors.Join(r.Stop(ctx), r.dir.release())
}

// while starts a server, runs do, and stops it.
func (e *environment) while(ctx context.Context, do func(*running) error) (err error) {
	r, err := e.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	fmt.Fprintf(e.stdout, "listening on %s\n", r.url)
	if password := r.Server.MadePassword(); password != "" {
		fmt.Fprintf(e.stderr, "user admin, password %s (shown this once)\n", password)
	}
	return do(r)
}

type serveCommand struct{}

// Run serves until the process is told to end.
func (serveCommand) Run(ctx context.Context, e *environment) error {
	return e.while(ctx, func(*running) error {
		<-ctx.Done()
		e.log.Info("stopping")
		return nil
	})
}

type demoCommand struct {
	Stores       string `help:"Stores, in the format of the store import." type:"existingfile" placeholder:"FILE"`
	CRMOnline    string `name:"crm-online" help:"Members of the online system." type:"existingfile" placeholder:"FILE"`
	CRMStore     string `name:"crm-store" help:"Members of the store system." type:"existingfile" placeholder:"FILE"`
	Receipts     string `help:"Receipts, one row a line; may be gzipped." type:"existingfile" placeholder:"FILE"`
	Transactions int    `help:"How many transactions to generate, where no files are given." default:"100000"`
	Seed         uint64 `help:"Seed of generated data." default:"1"`
	Exit         bool   `help:"Stop at the end instead of staying up."`
	JSON         bool   `name:"json" help:"Print the summary as JSON, and the progress to stderr."`
}

// Validate is called by kong.
func (d *demoCommand) Validate() error {
	given := 0
	for _, f := range []string{d.Stores, d.CRMOnline, d.CRMStore, d.Receipts} {
		if f != "" {
			given++
		}
	}
	if given != 0 && given != 4 {
		return errors.New("--stores, --crm-online, --crm-store and --receipts go together")
	}
	if d.Transactions < 1 {
		return errors.New("--transactions is at least 1")
	}
	return nil
}

// Run plays the demo against a server of this process, by HTTP.
func (d *demoCommand) Run(ctx context.Context, e *environment) error {
	return e.quietly().while(ctx, func(r *running) error {
		progress := e.stdout
		if d.JSON {
			progress = e.stderr
		}
		summary, err := demo.Run(ctx, demo.Options{
			BaseURL: r.url, Token: r.Server.OperatorToken, Dir: e.Data, Progress: progress,
			Files:  dataset.Files{Stores: d.Stores, CRMOnline: d.CRMOnline, CRMStore: d.CRMStore, Receipts: d.Receipts},
			Recipe: dataset.Standard(d.Seed, d.Transactions, ""),
		})
		if err != nil {
			return err
		}
		if d.JSON {
			if err := json.NewEncoder(e.stdout).Encode(summary); err != nil {
				return err
			}
		}
		if !d.Exit {
			fmt.Fprintf(progress, "still listening on %s; interrupt to end\n", r.url)
			<-ctx.Done()
		}
		if !summary.OK() {
			return errFailed
		}
		return nil
	})
}

type importCommand struct {
	Stores  importStores  `cmd:"" help:"Import stores."`
	Members importMembers `cmd:"" help:"Import members of one program."`
}

type importStores struct {
	File string `arg:"" help:"CSV file." type:"existingfile"`
}

// Run uploads the file.
func (c *importStores) Run(ctx context.Context, e *environment) error {
	return e.upload(ctx, "/v1/stores/import", c.File)
}

type importMembers struct {
	Program string `help:"Whose members these are: online, store, or another program of the brands." required:""`
	File    string `arg:"" help:"CSV file." type:"existingfile"`
}

// Run uploads the file.
func (c *importMembers) Run(ctx context.Context, e *environment) error {
	return e.upload(ctx, "/v1/members/import"+query("program", c.Program), c.File)
}

// upload sends a CSV file to the server, and prints its report.
func (e *environment) upload(ctx context.Context, path, file string) error {
	return e.remotely(ctx, func(r *remote) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		var report json.RawMessage
		if err := r.do(ctx, "POST", path, "text/csv", f, &report); err != nil {
			return err
		}
		return e.print(report)
	})
}

type closeCommand struct {
	Brand string `help:"Whose days." required:""`
	Date  string `help:"The last day to close (YYYY-MM-DD); open days before it are closed first." required:""`
}

// Run asks for the close and waits for its end.
func (c *closeCommand) Run(ctx context.Context, e *environment) error {
	return e.remotely(ctx, func(r *remote) error {
		var state struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		}
		if err := r.post(ctx, "/v1/commission/closes", map[string]string{"brand": c.Brand, "date": c.Date}, &state); err != nil {
			return err
		}
		var answer json.RawMessage
		for state.Status == "" || state.Status == "running" {
			if err := r.do(ctx, "GET", "/v1/commission/closes/"+segment(state.ID), "", nil, &answer); err != nil {
				return err
			}
			if err := json.Unmarshal(answer, &state); err != nil {
				return err
			}
			if state.Status == "running" {
				if err := pause(ctx, 200*time.Millisecond); err != nil {
					return err
				}
			}
		}
		return e.print(answer)
	})
}

type auditCommand struct {
	JSON bool `name:"json" help:"Print the checks as JSON."`
}

// Run checks the equations through the running server, or through one of its own where none holds the data.
func (c *auditCommand) Run(ctx context.Context, e *environment) error {
	if _, err := os.Stat(filepath.Join(e.Data, lockFile)); err != nil {
		return fmt.Errorf("there is nothing to audit in %s: no server has worked on it", e.Data)
	}
	return e.remotely(ctx, func(r *remote) error {
		var report struct {
			OK     bool          `json:"ok"`
			Checks []audit.Check `json:"checks"`
		}
		if err := r.do(ctx, "GET", "/v1/audit", "", nil, &report); err != nil {
			return err
		}
		if c.JSON {
			if err := e.print(report); err != nil {
				return err
			}
		} else {
			printChecks(e.stdout, report.Checks)
		}
		if !report.OK {
			return errFailed
		}
		return nil
	})
}

type benchCommand struct {
	Transactions int  `help:"How many transactions of one business day." default:"400000"`
	Keep         bool `help:"Keep the data directory, and say where it is."`
}

// Run measures a fresh server on a directory of its own.
func (b *benchCommand) Run(ctx context.Context, e *environment) (err error) {
	dir, err := os.MkdirTemp("", "scrm-bench-")
	if err != nil {
		return err
	}
	if b.Keep {
		fmt.Fprintln(e.stderr, "data directory", dir)
	} else {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	fresh := *e.quietly()
	fresh.Data, fresh.Listen = filepath.Join(dir, "data"), "127.0.0.1:0"
	return fresh.while(ctx, func(r *running) error {
		figures, err := demo.Bench(ctx, demo.BenchOptions{
			BaseURL: r.url, Token: r.Server.OperatorToken, Dir: fresh.Data, Transactions: b.Transactions, Progress: e.stderr,
		})
		if err != nil {
			return err
		}
		return figures.Print(e.stdout)
	})
}
