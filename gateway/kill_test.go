package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"scrm/gateway/demo"
	"scrm/gateway/demo/dataset"
)

// kills is how many replays are killed, each at a moment of its own.
const kills = 10

// TestKilledReplays kills the real process with SIGKILL in the middle of the demo, starts it again, and lets it play to the
// end: the audit has to hold and every total to be that of a run that nobody disturbed.
func TestKilledReplays(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "gateway")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	in := files(t, dataset.Recipe{Seed: 23, Stores: 30, Members: 500, Transactions: 8000, Days: 12, LastDay: "2026-02-28"})
	undisturbed := startDemo(t, program, t.TempDir(), in)
	want := undisturbed.finish(t)
	// The moments lie between the first member's import and the audit.
	span := undisturbed.since("closed") - undisturbed.since("hired")

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, moments within %s", seed, span)
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range kills {
		after := time.Duration(rng.Int64N(int64(span)))
		t.Run(fmt.Sprintf("%d", i), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for ; !startDemo(t, program, dir, in).kill(t, "hired", after); after /= 2 {
				dir = t.TempDir() // it was faster than the undisturbed one, and had ended
			}
			mustEqual(t, startDemo(t, program, dir, in).finish(t), want)
		})
	}
}

// process is a demo in a process of its own.
type process struct {
	cmd     *exec.Cmd
	started time.Time
	lines   chan string // of progress
	seen    map[string]time.Duration
	stdout  bytes.Buffer
	stderr  []string
}

func startDemo(t *testing.T, program, dir string, in dataset.Files) *process {
	t.Helper()
	p := &process{lines: make(chan string, 1000), seen: map[string]time.Duration{}}
	p.cmd = exec.Command(program, "--listen", "127.0.0.1:0", "--data", dir, "demo", "--exit", "--json",
		"--stores", in.Stores, "--crm-online", in.CRMOnline, "--crm-store", in.CRMStore, "--receipts", in.Receipts)
	p.cmd.Env = append(os.Environ(), "SCRM_MONGO_URI=", "SCRM_NATS_URL=", "SCRM_LOG_LEVEL=warn")
	p.cmd.Stdout = &p.stdout
	progress, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() }) //nolint:errcheck // it has ended already unless the test failed
	go p.read(progress)
	return p
}

func (p *process) read(progress io.Reader) {
	defer close(p.lines)
	for lines := bufio.NewScanner(progress); lines.Scan(); {
		p.lines <- lines.Text()
	}
}

// until reads progress to the first line that begins with a word; false if there is none.
func (p *process) until(word string) bool {
	for line := range p.lines {
		p.stderr = append(p.stderr, line)
		if name, _, _ := strings.Cut(line, " "); p.seen[name] == 0 {
			p.seen[name] = time.Since(p.started)
		}
		if word != "" && strings.HasPrefix(line, word+" ") {
			return true
		}
	}
	return false
}

// since is when the first line that begins with a word came.
func (p *process) since(word string) time.Duration { return p.seen[word] }

// finish lets the process run to its end and gives its summary.
func (p *process) finish(t *testing.T) *demo.Summary {
	t.Helper()
	p.until("")
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, strings.Join(p.stderr, "\n"), p.stdout.String())
	}
	first, rest, _ := strings.Cut(p.stdout.String(), "\n")
	if !strings.HasPrefix(first, "listening on http://127.0.0.1:") {
		t.Fatalf("the first line is %q", first)
	}
	summary := &demo.Summary{}
	decoder := json.NewDecoder(strings.NewReader(rest))
	if err := decoder.Decode(summary); err != nil {
		t.Fatal(err)
	}
	if decoder.More() {
		t.Fatal("there is more than one object on stdout")
	}
	return summary
}

// kill ends the process the hard way, a while after a line of progress; false if it had ended by itself.
func (p *process) kill(t *testing.T, word string, after time.Duration) bool {
	t.Helper()
	if !p.until(word) {
		t.Fatalf("no line %q:\n%s", word, strings.Join(p.stderr, "\n"))
	}
	timer := time.NewTimer(after)
	defer timer.Stop()
	<-timer.C
	p.cmd.Process.Kill() //nolint:errcheck // whether it was in time is seen below
	p.until("")
	p.cmd.Wait() //nolint:errcheck // being killed is an error
	if p.cmd.ProcessState.Exited() {
		return false
	}
	t.Logf("killed after %s, when it had said %q", after, p.stderr[len(p.stderr)-1])
	return true
}
