// Package hooks runs the hooks of config.json that belong to the runtime's namespaces: prestart,
// createRuntime, poststart and poststop (config.md, POSIX-platform Hooks). Those of the container's
// namespaces are steps of the init stage, which gets the state from State all the same.
package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"tare/internal/child"
	"tare/internal/step"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Options are the circumstances of a hook.
type Options struct {
	// State is what the hook reads from its standard input.
	State []byte
	// Dir is its working directory: the bundle.
	Dir string
	// Init is a pidfd of the container's init: when the init ends, the hook is killed and its result
	// an error. 0 for none: poststop, and poststart, which a short-lived program may well not see.
	Init int
	// Stdout and Stderr are files to append its output to; where they are "" the output becomes a
	// part of the error. (Annotations run.oci.hooks.stdout and .stderr.)
	Stdout, Stderr string
}

// The annotations that name files for the hooks' output.
const (
	StdoutAnnotation = "run.oci.hooks.stdout"
	StderrAnnotation = "run.oci.hooks.stderr"
)

// State gives the state in the form that hooks read: one line of JSON, nothing escaped that JSON lets
// stand.
func State(s *specs.State) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return b.Bytes(), nil
}

// Run runs one hook to its end. The error does not repeat h.Where().
func Run(ctx context.Context, h *step.HostHook, o Options) error {
	c := &child.Cmd{
		Path: h.Path, Args: h.Args, Env: h.Env, Dir: o.Dir, Stdin: o.State, Watch: o.Init,
		Timeout: time.Duration(h.TimeoutMS) * time.Millisecond,
	}
	if len(c.Args) == 0 {
		c.Args = []string{h.Path}
	}
	if !h.EnvSet {
		c.Env = os.Environ()
	}
	var err error
	if c.Stdout, err = appendTo(o.Stdout, StdoutAnnotation); err != nil {
		return err
	}
	defer c.Stdout.Close() // of a nil *os.File: an error that nobody needs
	if c.Stderr, err = appendTo(o.Stderr, StderrAnnotation); err != nil {
		return err
	}
	defer c.Stderr.Close()
	out, err := child.Run(ctx, c)
	if err == nil {
		return nil
	}
	if errors.Is(err, child.ErrTimeout) {
		err = timeoutError{c.Timeout}
	}
	return fmt.Errorf("run %q: %w%s%s", h.Path, err, said("stdout", out.Stdout), said("stderr", out.Stderr))
}

// timeoutError is what engines know of a hook that took too long.
type timeoutError struct{ after time.Duration }

func (e timeoutError) Error() string {
	return fmt.Sprintf("hook ran past specified timeout of %.1fs", e.after.Seconds())
}

// Is makes errors.Is(err, context.DeadlineExceeded) true.
func (e timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

func appendTo(path, annotation string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("annotations[%q]: %w", annotation, err)
	}
	return f, nil
}

// said quotes a hook's output, so that the error stays one line.
func said(name string, b []byte) string {
	text := strings.TrimSpace(string(b))
	if text == "" {
		return ""
	}
	return fmt.Sprintf(", %s: %q", name, text)
}
