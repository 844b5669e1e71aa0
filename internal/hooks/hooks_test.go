package hooks

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tare/internal/step"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func hook(script string) *step.HostHook {
	return &step.HostHook{Name: "createRuntime", Path: "/bin/sh", Args: []string{"hook", "-c", script}}
}

func TestState(t *testing.T) {
	t.Parallel()
	b, err := State(&specs.State{
		Version: "1.3.0", ID: "x", Status: specs.StateCreating, Pid: 7, Bundle: "/a/b<&>",
		Annotations: map[string]string{"k": "/v"},
	})
	want := `{"ociVersion":"1.3.0","id":"x","status":"creating","pid":7,"bundle":"/a/b<&>","annotations":{"k":"/v"}}` + "\n"
	if err != nil || string(b) != want {
		t.Errorf("%s%v; want %s", b, err, want)
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TARE_HOOK_TEST", "inherited")
	for _, tt := range []struct {
		name string
		hook step.HostHook
		want string // in the file "out"
		err  string
	}{
		{name: "state, directory", hook: step.HostHook{Args: []string{"h", "-c", "pwd >out; cat >>out"}}, want: dir + "\nSTATE"},
		{name: "no env: the runtime's", hook: step.HostHook{Args: []string{"h", "-c", "echo $TARE_HOOK_TEST >out"}}, want: "inherited\n"},
		{name: "empty env", hook: step.HostHook{Args: []string{"h", "-c", "echo [$TARE_HOOK_TEST] >out"}, EnvSet: true}, want: "[]\n"},
		{name: "env", hook: step.HostHook{Args: []string{"h", "-c", "echo $A[$TARE_HOOK_TEST] >out"}, EnvSet: true, Env: []string{"A=1"}}, want: "1[]\n"},
		{name: "argv[0] as given", hook: step.HostHook{Args: []string{"zero", "-c", "tr '\\0' ' ' </proc/$$/cmdline | cut -d' ' -f1 >out"}}, want: "zero\n"},
		{name: "timeout kept", hook: step.HostHook{Args: []string{"h", "-c", "echo x >out"}, TimeoutMS: 60000}, want: "x\n"},
		{name: "timeout", hook: step.HostHook{Args: []string{"h", "-c", "echo so far; sleep 100"}, TimeoutMS: 300},
			err: `run "/bin/sh": hook ran past specified timeout of 0.3s, stdout: "so far"`},
		{name: "failure", hook: step.HostHook{Args: []string{"h", "-c", "echo a; echo b; echo c >&2; exit 4"}},
			err: `run "/bin/sh": exit status 4, stdout: "a\nb", stderr: "c"`},
		{name: "missing", hook: step.HostHook{Path: "/none/at all"}, err: `run "/none/at all": no such file or directory`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			os.Remove(filepath.Join(dir, "out"))
			h := tt.hook
			if h.Path == "" {
				h.Path = "/bin/sh"
			}
			err := Run(t.Context(), &h, Options{State: []byte("STATE"), Dir: dir})
			switch {
			case err == nil && tt.err != "", err != nil && err.Error() != tt.err:
				t.Errorf("%v; want %s", err, tt.err)
			}
			if b, _ := os.ReadFile(filepath.Join(dir, "out")); string(b) != tt.want {
				t.Errorf("wrote %q; want %q", b, tt.want)
			}
		})
	}
}

func TestTimeoutIsDeadline(t *testing.T) {
	t.Parallel()
	h := hook("sleep 100")
	h.TimeoutMS = 1
	if err := Run(t.Context(), h, Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestOutputFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := Options{Dir: dir, Stdout: filepath.Join(dir, "o"), Stderr: filepath.Join(dir, "e")}
	for range 2 {
		err := Run(t.Context(), hook("echo out; echo err >&2; exit 1"), o)
		if err == nil || strings.Contains(err.Error(), "out") {
			t.Error(err)
		}
	}
	for path, want := range map[string]string{o.Stdout: "out\nout\n", o.Stderr: "err\nerr\n"} {
		if b, err := os.ReadFile(path); string(b) != want {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	o.Stderr = filepath.Join(dir, "none", "e")
	if err := Run(t.Context(), hook("true"), o); err == nil || !strings.Contains(err.Error(), `annotations["run.oci.hooks.stderr"]: open`) {
		t.Error(err)
	}
}
