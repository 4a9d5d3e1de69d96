package main

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigPrecedence cannot be parallel: it sets the environment.
func TestConfigPrecedence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scrm.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("listen: 127.0.0.1:1\ndata: /from/file\nlog_level: warn\n")
	t.Setenv("SCRM_DATA", "/from/env")
	t.Setenv("SCRM_LOG_LEVEL", "error")
	t.Setenv("SCRM_NATS_URL", "")
	t.Setenv("SCRM_TEST_SOMETHING", "else")
	c, err := loadConfig(path, map[string]string{"log_level": "debug", "mongo_uri": ""})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Listen: "127.0.0.1:1", Data: "/from/env", LogLevel: "debug"}
	if c != want {
		t.Errorf("loaded %+v, want %+v", c, want)
	}
	if c, err = loadConfig("", nil); err != nil || c.Listen != "127.0.0.1:8080" {
		t.Errorf("loaded %+v, error %v", c, err)
	}
	write("lisen: x\n")
	if _, err := loadConfig(path, nil); err == nil || !strings.Contains(err.Error(), `unknown name "lisen"`) {
		t.Errorf("a misspelt name: %v", err)
	}
	if _, err := loadConfig(path+".absent", nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	key := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for _, c := range []struct {
		name   string
		change func(*Config)
		bad    string // the name that the error has, empty if it is valid
	}{
		{"defaults", func(*Config) {}, ""},
		{"any port", func(c *Config) { c.Listen = "127.0.0.1:0" }, ""},
		{"IPv6", func(c *Config) { c.Listen = "[::1]:80" }, ""},
		{"no port", func(c *Config) { c.Listen = "localhost" }, "listen"},
		{"port too large", func(c *Config) { c.Listen = ":65536" }, "listen"},
		{"no directory", func(c *Config) { c.Data = "" }, "data"},
		{"MongoDB", func(c *Config) { c.MongoURI = "mongodb+srv://u:p@h" }, ""},
		{"not MongoDB", func(c *Config) { c.MongoURI = "http://h" }, "mongo_uri"},
		{"several NATS", func(c *Config) { c.NATSURL = "nats://a:4222, tls://b:4222" }, ""},
		{"not NATS", func(c *Config) { c.NATSURL = "nats://a,b" }, "nats_url"},
		{"key", func(c *Config) { c.MasterKey = key }, ""},
		{"short key", func(c *Config) { c.MasterKey = "c2VjcmV0" }, "master_key"},
		{"not base64", func(c *Config) { c.MasterKey = "s3cret!" }, "master_key"},
		{"level", func(c *Config) { c.LogLevel = "loud" }, "log_level"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := defaults()
			c.change(&config)
			err := config.validate()
			if c.bad == "" && err != nil || c.bad != "" && (err == nil || !strings.Contains(err.Error(), c.bad+":")) {
				t.Errorf("error %v, want one about %q", err, c.bad)
			}
			if err != nil && config.MasterKey != "" && strings.Contains(err.Error(), config.MasterKey) {
				t.Error("the error repeats the key")
			}
		})
	}
}

func TestDataDirIsHeldByOne(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first, err := holdDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	if err := first.announce("http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	var held *heldError
	if _, err := holdDataDir(dir); !errors.As(err, &held) || held.by.PID != os.Getpid() || held.by.URL != "http://127.0.0.1:1" {
		t.Fatalf("the second got %v", err)
	}
	if err := first.release(); err != nil {
		t.Fatal(err)
	}
	again, err := holdDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.release(); err != nil {
		t.Fatal(err)
	}
}
