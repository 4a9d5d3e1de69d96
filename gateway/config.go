package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"scrm/gateway/kit/seal"
)

// Config is what the program is told from outside. Each value comes from its default, a YAML file (by the names below), the
// environment (the same names in upper case behind SCRM_) and the command line, in rising order of precedence; secrets have no flag,
// because other users of a machine can read command lines.
type Config struct {
	Listen        string `koanf:"listen"`         // host:port of the HTTP edge; port 0 picks one
	Data          string `koanf:"data"`           // data directory: databases, streams, keys
	MongoURI      string `koanf:"mongo_uri"`      // of a MongoDB replica set; empty: SQLite files in Data
	NATSURL       string `koanf:"nats_url"`       // of NATS servers with JetStream; empty: embedded, in Data
	AdminPassword string `koanf:"admin_password"` // of the user admin at the first start; empty: one is made and printed
	MasterKey     string `koanf:"master_key"`     // base64 of 32 bytes; empty: a file in Data, made at the first start
	LogLevel      string `koanf:"log_level"`      // debug, info, warn or error
}

func defaults() Config {
	return Config{Listen: "127.0.0.1:8080", Data: "./data", LogLevel: "info"}
}

const envPrefix = "SCRM_"

// configKeys are the names of Config's values.
var configKeys = []string{"listen", "data", "mongo_uri", "nats_url", "admin_password", "master_key", "log_level"}

// loadConfig reads the configuration: from the file, if one is named, and the environment; flags holds the values that the command
// line gave, by name.
func loadConfig(path string, flags map[string]string) (Config, error) {
	k := koanf.New(".")
	if path != "" {
		if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
			return Config{}, fmt.Errorf("configuration: %w", err)
		}
		for _, key := range k.Keys() {
			if !slices.Contains(configKeys, key) {
				return Config{}, fmt.Errorf("configuration: %s: unknown name %q; there are %s", path, key, strings.Join(configKeys, ", "))
			}
		}
	}
	// An empty variable counts as absent.
	environment := env.ProviderWithValue(envPrefix, ".", func(name, value string) (string, any) {
		if value == "" {
			return "", nil
		}
		return strings.ToLower(strings.TrimPrefix(name, envPrefix)), value
	})
	if err := k.Load(environment, nil); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	for key, value := range flags {
		if value != "" {
			if err := k.Set(key, value); err != nil {
				return Config{}, fmt.Errorf("configuration: %w", err)
			}
		}
	}
	c := defaults()
	if err := k.Unmarshal("", &c); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return c, c.validate()
}

// validate names every value that cannot be, without repeating secrets.
func (c Config) validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("configuration: %s: %s", key, fmt.Sprintf(format, args...)))
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil {
		bad("listen", "%q is not host:port", c.Listen)
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		bad("listen", "%q is not a port", port)
	}
	if c.Data == "" {
		bad("data", "a directory is needed")
	}
	if c.MongoURI != "" && !strings.HasPrefix(c.MongoURI, "mongodb://") && !strings.HasPrefix(c.MongoURI, "mongodb+srv://") {
		bad("mongo_uri", "it begins with mongodb:// or mongodb+srv://")
	}
	for _, server := range strings.Split(c.NATSURL, ",") {
		if u, err := url.Parse(strings.TrimSpace(server)); c.NATSURL != "" && (err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme)) {
			bad("nats_url", "each address, separated by commas, begins with nats://, tls://, ws:// or wss://")
			break
		}
	}
	if key, err := base64.StdEncoding.DecodeString(c.MasterKey); c.MasterKey != "" && (err != nil || len(key) != seal.KeySize) {
		bad("master_key", "it is the base64 of %d bytes", seal.KeySize)
	}
	if err := new(slog.LevelVar).UnmarshalText([]byte(c.LogLevel)); err != nil {
		bad("log_level", "%q is not debug, info, warn or error", c.LogLevel)
	}
	return errors.Join(errs...)
}

// level is LogLevel, which is valid.
func (c Config) level() slog.Leveler {
	var level slog.LevelVar
	_ = level.UnmarshalText([]byte(c.LogLevel))
	return &level
}

// warnings are combinations that work, but hardly as meant.
func (c Config) warnings() []string {
	var w []string
	if c.MongoURI != "" && c.MasterKey == "" {
		w = append(w, "the documents are in MongoDB, but the master key is a file in the data directory: other processes need the same one ("+envPrefix+"MASTER_KEY)")
	}
	if c.MongoURI != "" && c.NATSURL == "" {
		w = append(w, "the documents are in MongoDB, but the streams are in the data directory: only one process can work on them ("+envPrefix+"NATS_URL)")
	}
	if host, _, err := net.SplitHostPort(c.Listen); err == nil && !isLoopback(host) {
		w = append(w, "the edge speaks HTTP without TLS on a port that others can reach: put a proxy with TLS before it")
	}
	return w
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// makeDataDir makes the data directory, for its owner only.
func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil { // one that was there already
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}
