package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"tare/internal/tty"
	"tare/libcontainer"

	"github.com/urfave/cli/v3"
)

type level int

// The levels, from the fewest messages to the most.
const (
	levelError level = iota
	levelWarning
	levelInfo
	levelDebug
)

func (l level) String() string {
	return [...]string{"error", "warning", "info", "debug"}[l]
}

func parseLevel(s string) (level, error) {
	for l := levelError; l <= levelDebug; l++ {
		if l.String() == s {
			return l, nil
		}
	}
	return 0, fmt.Errorf("--log-level %q: not one of error, warning, info, debug", s)
}

// sink takes whole messages.
type sink interface {
	send(l level, msg string, at time.Time) error
	io.Closer
}

// logger is where messages go. The zero value is one that was not set up: errors go to stderr alone.
type logger struct {
	opened   bool
	sink     sink // nil without --log
	json     bool
	level    level
	levelSet bool // asked for by the user
}

// openLog sets the log up as the global options say, once.
func (a *app) openLog(root *cli.Command) error {
	if a.log.opened {
		return nil
	}
	a.log.opened = true
	switch f := root.String("log-format"); f {
	case "text", "":
	case "json":
		a.log.json = true
	default:
		return fmt.Errorf("--log-format %q: not one of text, json", f)
	}
	var err error
	if a.log.level, err = parseLevel(root.String("log-level")); err != nil {
		return err
	}
	a.log.levelSet = root.IsSet("log-level")
	if root.Bool("debug") {
		a.log.level = levelDebug
	}
	if dest := root.String("log"); dest != "" {
		a.log.sink, err = openSink(dest, a.log.json)
	}
	return err
}

func (l *logger) close() {
	if l.sink != nil {
		l.sink.Close()
		l.sink = nil
	}
}

// fatal reports the error that ends the run: in the log, for the engine, and on stderr, for whoever
// looks there. Nothing else goes to stderr unless asked for: it may be the container's.
func (a *app) fatal(err error) {
	msg := err.Error()
	if a.command != "" {
		msg = a.command + ": " + msg
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.log.sink != nil {
		a.deliver(levelError, msg, now)
	} else if a.log.json {
		a.stderr.Write(jsonLine(levelError, msg, now))
		return
	}
	fmt.Fprintf(a.stderr, "tare: %s\n", msg)
}

// warn goes to the log from level warning on; without a log to stderr if a person sees it there.
func (a *app) warn(msg string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.log.sink != nil || a.log.levelSet || a.log.level > levelWarning {
		a.write(levelWarning, msg, time.Now())
		return
	}
	if tty.IsTerminal(2) {
		fmt.Fprintf(a.stderr, "tare: warning: %s\n", msg)
	}
}

// debug tells an event of the library, with the time at which it happened.
func (a *app) debug(e libcontainer.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	msg := e.Message
	if e.Stage != "" {
		msg = e.Stage + ": " + msg
	}
	if e.Container != "" {
		msg = e.Container + ": " + msg
	}
	a.write(levelDebug, msg, e.Time)
}

// write sends a message to the log, or to stderr without one. a.mu is held.
func (a *app) write(l level, msg string, at time.Time) {
	if l > a.log.level {
		return
	}
	if a.log.sink == nil {
		a.stderr.Write(line(a.log.json, l, msg, at))
		return
	}
	a.deliver(l, msg, at)
}

// deliver hands a message to the log, and says on stderr when that fails. a.mu is held.
func (a *app) deliver(l level, msg string, at time.Time) {
	if err := a.log.sink.send(l, msg, at); err != nil && !errors.Is(err, errTold) {
		fmt.Fprintf(a.stderr, "tare: log: %v\n", err)
	}
}

func line(asJSON bool, l level, msg string, at time.Time) []byte {
	if asJSON {
		return jsonLine(l, msg, at)
	}
	return textLine(l, msg, at)
}

// jsonLine is the form that engines read: one object on a line, the time as RFC 3339 has it.
func jsonLine(l level, msg string, at time.Time) []byte {
	text, err := json.Marshal(strings.ToValidUTF8(msg, "\uFFFD"))
	if err != nil {
		text = []byte(`"a message that JSON cannot hold"`)
	}
	return fmt.Appendf(nil, `{"level":"%s","msg":%s,"time":"%s"}`+"\n", l, text, stamp(l, at))
}

func textLine(l level, msg string, at time.Time) []byte {
	return fmt.Appendf(nil, "time=\"%s\" level=%s msg=%s\n", stamp(l, at), l, strconv.Quote(msg))
}

// stamp has microseconds for the debug log, where they are the point.
func stamp(l level, at time.Time) string {
	if l == levelDebug {
		return at.Format("2006-01-02T15:04:05.000000Z07:00")
	}
	return at.Format(time.RFC3339)
}
