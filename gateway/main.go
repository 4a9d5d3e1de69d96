// Command gateway is the whole product: the HTTP edge, the domains behind it, and the commands around them.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"scrm/gateway/kit/logging"
)

// version is set when a release is built (-ldflags "-X main.version=…").
var version = "dev"

// cli is the command line.
type cli struct {
	Config   string `help:"YAML file with configuration." type:"path" placeholder:"FILE"`
	Listen   string `help:"Address of the HTTP edge, host:port; port 0 picks one. Default 127.0.0.1:8080." placeholder:"ADDR"`
	Data     string `help:"Data directory. Default ./data." placeholder:"DIR"`
	MongoURI string `name:"mongo-uri" help:"MongoDB instead of the embedded store." placeholder:"URI"`
	NATSURL  string `name:"nats-url" help:"NATS instead of the embedded streams." placeholder:"URL"`
	LogLevel string `help:"debug, info, warn or error. Default info." placeholder:"LEVEL"`

	Serve  serveCommand  `cmd:"" help:"Run the server."`
	Demo   demoCommand   `cmd:"" help:"Play a whole business on real or generated data, through the HTTP interface, and check the books."`
	Import importCommand `cmd:"" help:"Import a CSV file."`
	Close  closeCommand  `cmd:"" help:"Close a brand's days."`
	Audit  auditCommand  `cmd:"" help:"Check the equations E1-E8; exit code 1 if one fails."`
	Bench  benchCommand  `cmd:"" help:"Measure what this machine takes, on a data directory of its own."`

	Version kong.VersionFlag `help:"Print the version."`
}

// config is the configuration with what the command line says of it.
func (c *cli) config() (Config, error) {
	return loadConfig(c.Config, map[string]string{
		"listen": c.Listen, "data": c.Data, "mongo_uri": c.MongoURI, "nats_url": c.NATSURL, "log_level": c.LogLevel,
	})
}

// Exit codes: 0 all well, 1 what was asked for failed or does not hold, 2 the command or the configuration is wrong.
const exitUsage = 2

// errFailed ends the program with exit code 1 after the command has said itself what is wrong.
var errFailed = errors.New("failed")

func main() {
	var c cli
	parser, err := kong.New(&c, kong.Name("gateway"), kong.Vars{"version": version}, kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("Social CRM for retail: members, cards, stores, guides, T+1 commission. Configuration also comes from "+envPrefix+"… in the environment."))
	if err != nil {
		fail(err, exitUsage)
	}
	command, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	config, err := c.config()
	if err != nil {
		fail(err, exitUsage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	log := logging.New(os.Stderr, config.level())
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(&environment{Config: config, log: log, stdout: os.Stdout, stderr: os.Stderr})
	stop()
	if err != nil {
		fail(err, 1)
	}
}

func fail(err error, code int) {
	if !errors.Is(err, errFailed) {
		fmt.Fprintln(os.Stderr, "gateway:", err)
	}
	os.Exit(code)
}
