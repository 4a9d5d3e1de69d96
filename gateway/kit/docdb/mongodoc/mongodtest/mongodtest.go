// Package mongodtest starts a real MongoDB server for tests.
package mongodtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/bson"
	"go.mongodb.org/mongo-driver/mongo"
	"go.mongodb.org/mongo-driver/mongo/options"
)

// URI is the URI of a MongoDB server that serves this test binary: the executable that SCRM_TEST_MONGOD names, else mongod on
// the PATH, as a replica set of one on a free loopback port with its files in a temporary directory. It is started at the
// first call and ends with the process. Without an executable the test is skipped, but where CI is set it fails.
func URI(t testing.TB) string {
	t.Helper()
	path := os.Getenv("SCRM_TEST_MONGOD")
	if path == "" {
		var err error
		if path, err = exec.LookPath("mongod"); err != nil {
			const reason = "no MongoDB server: SCRM_TEST_MONGOD is not set and there is no mongod on the PATH"
			if os.Getenv("CI") != "" {
				t.Fatal(reason)
			}
			t.Skip(reason)
		}
	}
	shared.once.Do(func() { shared.server, shared.err = start(path) })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server.uri
}

var shared struct {
	once   sync.Once
	server *server
	err    error
}

// server is a running mongod. It lives as long as the pipe to its guardian is open, so it must stay referenced.
type server struct {
	uri  string
	pipe io.Closer
}

// guardian runs mongod for as long as the test process holds the other end of its standard input, however that process
// ends, and removes the files afterwards.
const guardian = `dir=$1; shift
"$@" >"$dir/out" 2>&1 </dev/null &
pid=$!
read -r _
kill -KILL $pid
wait $pid 2>/dev/null
rm -rf "$dir"`

func start(path string) (s *server, err error) {
	for range 5 { // somebody else may take the free port before mongod does
		if s, err = try(path); err == nil {
			return s, nil
		}
	}
	return nil, err
}

func try(path string) (*server, error) {
	dir, err := os.MkdirTemp("", "scrm-mongod-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	guard := exec.Command("/bin/sh", "-c", guardian, "sh", dir, //nolint:gosec // the path is the test environment's
		path, "--dbpath", dir, "--port", strconv.Itoa(port), "--bind_ip", "127.0.0.1", "--nounixsocket", "--replSet", "test",
		"--wiredTigerCacheSizeGB", "0.25", "--setParameter", "diagnosticDataCollectionEnabled=false")
	pipe, err := guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := guard.Start(); err != nil {
		return nil, err
	}
	host := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := initiate(ctx, host); err != nil {
		out, _ := os.ReadFile(filepath.Join(dir, "out"))
		_ = pipe.Close()
		_ = guard.Wait()
		return nil, fmt.Errorf("mongodtest: mongod does not start: %w\n%s", err, out[max(0, len(out)-2000):])
	}
	return &server{uri: "mongodb://" + host + "/?replicaSet=test", pipe: pipe}, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// initiate makes the server a replica set of one and waits until it is the primary.
func initiate(ctx context.Context, host string) error {
	client, err := mongo.Connect(ctx, options.Client().SetHosts([]string{host}).SetDirect(true).SetServerSelectionTimeout(time.Minute))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	admin := client.Database("admin")
	set := bson.D{{Key: "_id", Value: "test"}, {Key: "members", Value: bson.A{bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: host}}}}}
	if err := admin.RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: set}}).Err(); err != nil {
		return err
	}
	for {
		var hello struct {
			Primary bool `bson:"isWritablePrimary"`
		}
		if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil || hello.Primary {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
